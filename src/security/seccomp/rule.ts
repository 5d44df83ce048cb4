import { constants } from "node:os";
import type { LinuxSeccompArgument } from "../../oci/index.ts";
import type { SeccompRule } from "./profile.ts";

const { EPERM } = constants.errno;

/** What a rule may depend on. */
export type RuleDetails = Pick<SeccompRule, "args" | "includes" | "excludes">;

/** A rule that lets the calls through. */
export function allow(names: readonly string[], details: RuleDetails = {}): SeccompRule {
  return { names, action: "SCMP_ACT_ALLOW", ...details };
}

/** A rule by which they answer "not permitted". */
export function refuse(names: readonly string[], details: RuleDetails = {}): SeccompRule {
  return { names, action: "SCMP_ACT_ERRNO", errno: EPERM, ...details };
}

/** The argument's bits under `mask` are exactly `value`. */
export function masked(index: number, mask: bigint, value: bigint): LinuxSeccompArgument {
  return { index, value: mask, valueTwo: value, op: "SCMP_CMP_MASKED_EQ" };
}
