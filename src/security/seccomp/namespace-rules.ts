import { constants } from "node:os";
import type { RuleCondition, SeccompRule } from "./profile.ts";
import { allow, masked, type RuleDetails, refuse } from "./rule.ts";

const { ENOSYS } = constants.errno;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: what clone(2) takes beside a signal number. */
const namespaceFlags = [0x2_0000n, 0x200_0000n, 0x400_0000n, 0x800_0000n, 0x1000_0000n, 0x2000_0000n, 0x4000_0000n];
/** In clone(2) this bit belongs to the signal number. */
const newTimeFlag = 0x80n;
const legacyArgumentOrder = ["s390", "s390x"];

/**
 * New namespaces take CAP_SYS_ADMIN: a user namespace of its own would hand a container most of the kernel. Threads and processes
 * are free. clone3 keeps its flags in memory, where a filter cannot look: without the capability it does not exist, and the libc
 * calls clone.
 */
export function namespaceRules(): readonly SeccompRule[] {
  const admin: RuleCondition = { capabilities: ["CAP_SYS_ADMIN"] };
  const notAdmin = { excludes: admin };
  return [
    allow(["clone", "clone3", "unshare"], { includes: admin }),
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errno: ENOSYS, ...notAdmin },
    ...byFlags("unshare", { index: 0, flags: [...namespaceFlags, newTimeFlag], ...notAdmin }),
    ...byFlags("clone", {
      index: 0,
      flags: namespaceFlags,
      excludes: { ...admin, architectures: legacyArgumentOrder },
    }),
    ...byFlags("clone", {
      index: 1,
      flags: namespaceFlags,
      includes: { architectures: legacyArgumentOrder },
      ...notAdmin,
    }),
  ];
}

function byFlags(
  name: string,
  {
    index,
    flags,
    ...when
  }: { readonly index: number; readonly flags: readonly bigint[] } & Pick<RuleDetails, "includes" | "excludes">,
): readonly SeccompRule[] {
  const none = flags.reduce((all, flag) => all | flag, 0n);
  return [
    allow([name], { args: [masked(index, none, 0n)], ...when }),
    ...flags.map((flag) => refuse([name], { args: [masked(index, flag, flag)], ...when })),
  ];
}
