import { constants } from "node:os";
import { Fault, reasonOf } from "../../base/index.ts";
import {
  type JsonObject,
  jsonField,
  jsonList,
  jsonObject,
  jsonText,
  jsonTexts,
  type LinuxSeccompArgument,
  type SeccompAction,
  type SeccompOperator,
} from "../../oci/index.ts";
import { capabilityFrom } from "../capabilities.ts";
import type { ArchitectureMap, KernelVersion, RuleCondition, SeccompProfile, SeccompRule } from "./profile.ts";

/** Limit of a profile's JSON, wherever it comes from. The default one has 30 kB. */
export const maxSeccompProfileBytes = 1024 * 1024;

const maxRules = 8192;
const maxU64 = 0xffff_ffff_ffff_ffffn;

const actions: readonly SeccompAction[] = [
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_TRAP",
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_TRACE",
  "SCMP_ACT_ALLOW",
  "SCMP_ACT_LOG",
  "SCMP_ACT_NOTIFY",
];

const operators: readonly SeccompOperator[] = [
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
];

/**
 * A profile in Docker's or the OCI runtime spec's JSON, which is the same without conditions. Unknown fields are passed over, as
 * Go does; unknown actions, operators, architectures and errno names are not. Rejects with Fault("invalid" or "exhausted").
 */
export function parseSeccompProfile(bytes: Uint8Array): SeccompProfile {
  const what = "seccomp profile";
  if (bytes.byteLength > maxSeccompProfileBytes) {
    throw new Fault("exhausted", `${what} has ${bytes.byteLength} bytes, more than ${maxSeccompProfileBytes}`);
  }
  const profile = jsonObject(parseJson(bytes), what);
  const maps = jsonList(profile, "archMap", what, 64).map(architectureMapFrom);
  const architectures = jsonTexts(profile, "architectures", what, 64).map(architectureFrom);
  if (maps.length > 0 && architectures.length > 0) {
    throw new Fault("invalid", `${what}: it has both architectures and archMap; use one of them`);
  }
  const defaultErrno = errnoFrom(profile, { number: "defaultErrnoRet", name: "defaultErrno", what });
  const listenerPath = jsonText(profile, "listenerPath", what) ?? "";
  const listenerMetadata = jsonText(profile, "listenerMetadata", what) ?? "";
  return {
    defaultAction: oneOf(actions, jsonField(profile, "defaultAction"), `${what}: defaultAction`),
    ...(defaultErrno === undefined ? {} : { defaultErrno }),
    ...(maps.length === 0 ? {} : { architectureMaps: maps }),
    ...(architectures.length === 0 ? {} : { architectures }),
    rules: jsonList(profile, "syscalls", what, maxRules).map(ruleFrom),
    flags: jsonTexts(profile, "flags", what, 16).map(flagFrom),
    ...(listenerPath === "" ? {} : { listenerPath }),
    ...(listenerMetadata === "" ? {} : { listenerMetadata }),
  };
}

function ruleFrom(entry: unknown, position: number): SeccompRule {
  const what = `seccomp profile: syscalls[${position}]`;
  const rule = jsonObject(entry, what);
  const single = jsonText(rule, "name", what) ?? "";
  const names = jsonTexts(rule, "names", what);
  if (single !== "" && names.length > 0) throw new Fault("invalid", `${what} has both name and names; use one of them`);
  const all = single === "" ? names : [single];
  for (const name of all) if (!/^[a-z0-9_]{1,64}$/i.test(name)) throw invalid(`${what}: name`, name);
  const errno = errnoFrom(rule, { number: "errnoRet", name: "errno", what });
  const args = jsonList(rule, "args", what, 64).map((argument) => argumentFrom(argument, what));
  const includes = conditionFrom(jsonField(rule, "includes"), `${what}.includes`);
  const excludes = conditionFrom(jsonField(rule, "excludes"), `${what}.excludes`);
  return {
    names: all,
    action: oneOf(actions, jsonField(rule, "action"), `${what}: action`),
    ...(errno === undefined ? {} : { errno }),
    ...(args.length === 0 ? {} : { args }),
    ...(includes === undefined ? {} : { includes }),
    ...(excludes === undefined ? {} : { excludes }),
  };
}

function argumentFrom(entry: unknown, where: string): LinuxSeccompArgument {
  const what = `${where}.args`;
  const argument = jsonObject(entry, what);
  const index = jsonField(argument, "index") ?? 0;
  if (typeof index !== "number" || ![0, 1, 2, 3, 4, 5].includes(index)) throw invalid(`${what}: index`, index);
  return {
    index,
    value: u64From(jsonField(argument, "value") ?? 0n, `${what}: value`),
    valueTwo: u64From(jsonField(argument, "valueTwo") ?? 0n, `${what}: valueTwo`),
    op: oneOf(operators, jsonField(argument, "op"), `${what}: op`),
  };
}

function conditionFrom(value: unknown, what: string): RuleCondition | undefined {
  if (value === undefined) return undefined;
  const condition = jsonObject(value, what);
  const capabilities = jsonTexts(condition, "caps", what, 64).map((name) => capabilityFrom(name) ?? name);
  const architectures = jsonTexts(condition, "arches", what, 64);
  const minKernel = minKernelFrom(condition, what);
  if (capabilities.length === 0 && architectures.length === 0 && minKernel === undefined) return undefined;
  return {
    ...(capabilities.length === 0 ? {} : { capabilities }),
    ...(architectures.length === 0 ? {} : { architectures }),
    ...(minKernel === undefined ? {} : { minKernel }),
  };
}

function minKernelFrom(condition: JsonObject, what: string): KernelVersion | undefined {
  const text = jsonText(condition, "minKernel", what) ?? "";
  if (text === "") return undefined;
  const [, major, minor] = /^(\d{1,4})\.(\d{1,6})$/.exec(text) ?? [];
  if (major === undefined) throw invalid(`${what}: minKernel`, text);
  return { major: Number(major), minor: Number(minor) };
}

/** The name wins over the number, as in containers/common. */
function errnoFrom(
  object: JsonObject,
  { number, name, what }: { readonly number: string; readonly name: string; readonly what: string },
): number | undefined {
  const text = jsonText(object, name, what) ?? "";
  if (text !== "") {
    const named = new Map<string, number>(Object.entries(constants.errno)).get(text);
    if (named === undefined) throw invalid(`${what}: ${name}`, text);
    return named;
  }
  const value = jsonField(object, number);
  if (value === undefined) return undefined;
  // The kernel cuts at MAX_ERRNO.
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 4095) {
    throw invalid(`${what}: ${number}`, value);
  }
  return value;
}

function architectureMapFrom(entry: unknown): ArchitectureMap {
  const what = "seccomp profile: archMap";
  const map = jsonObject(entry, what);
  return {
    architecture: architectureFrom(jsonText(map, "architecture", what) ?? ""),
    subArchitectures: jsonTexts(map, "subArchitectures", what, 16).map(architectureFrom),
  };
}

function architectureFrom(name: string): string {
  if (!/^SCMP_ARCH_[A-Z0-9_]{1,32}$/.test(name)) throw invalid("seccomp profile: architecture", name);
  return name;
}

function flagFrom(name: string): string {
  if (!/^SECCOMP_FILTER_FLAG_[A-Z_]{1,32}$/.test(name)) throw invalid("seccomp profile: flag", name);
  return name;
}

function u64From(value: unknown, what: string): bigint {
  if (typeof value !== "bigint" || value < 0n || value > maxU64) throw invalid(what, value);
  return value;
}

function oneOf<T extends string>(known: readonly T[], value: unknown, what: string): T {
  const found = known.find((name) => name === value);
  if (found === undefined) throw invalid(what, value);
  return found;
}

function invalid(what: string, value: unknown): Fault {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 100)) : `a ${typeof value}`;
  return new Fault("invalid", `${what}: ${shown} is not valid`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes), reviveArguments);
  } catch (error) {
    throw new Fault("invalid", `seccomp profile is not JSON: ${reasonOf(error)}`);
  }
}

// Arguments have 64 bits; the third argument has their digits as they were written.
function reviveArguments(key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if ((key !== "value" && key !== "valueTwo") || typeof value !== "number") return value;
  const digits = context?.source ?? "";
  return /^\d{1,20}$/.test(digits) ? BigInt(digits) : value;
}
