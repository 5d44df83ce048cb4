import { Fault } from "../base/index.ts";
import type { LinuxResources, Process, RuntimeSpec } from "./runtime-spec.ts";

/** What is read of a `config.json` at most. CRI-O's own with the default seccomp profile have about 40 kB. */
export const maxRuntimeSpecBytes = 8 * 1024 * 1024;

/** The fields that are `bigint` in the types; their names mean nothing else anywhere in the document. */
const bigIntegerFields: ReadonlySet<string> = new Set([
  ...["limit", "reservation", "swap", "kernel", "kernelTCP", "swappiness"],
  ...["shares", "quota", "burst", "period", "realtimeRuntime", "realtimePeriod", "idle"],
  ...["hard", "soft", "rate", "value", "valueTwo"],
]);

/** The JSON text of a `config.json`, of the resources for `runtime update`, or of a process for `runtime exec`. */
export function runtimeJson(value: RuntimeSpec | LinuxResources | Process): string {
  return exactJson(value);
}

/** JSON in which a bigint is a number with all its digits. */
export function exactJson(value: object): string {
  return JSON.stringify(value, (_key, field: unknown) => (typeof field === "bigint" ? rawJson(field) : field));
}

/**
 * A `config.json` from disk, ours or CRI-O's. The parts that crio reads again are checked for their kind, the rest is carried
 * along as it is. Rejects with Fault("corrupt") when it is not such a document, Fault("exhausted") beyond the limit.
 */
export function parseRuntimeSpec(bytes: Uint8Array): RuntimeSpec {
  if (bytes.byteLength > maxRuntimeSpecBytes) {
    throw new Fault("exhausted", `config.json has ${bytes.byteLength} bytes, more than ${maxRuntimeSpecBytes}`);
  }
  const spec = parseJson(bytes);
  check(isRecord(spec), "it is not an object");
  check(typeof spec.ociVersion === "string", "ociVersion is not a string");
  checkTexts(spec.annotations);
  if (spec.root !== undefined) check(isRecord(spec.root) && isText(spec.root.path), "root has no path");
  if (spec.process !== undefined) checkProcess(spec.process);
  if (spec.mounts !== undefined) checkMounts(spec.mounts);
  if (spec.linux !== undefined) checkLinux(spec.linux);
  // The cast: what crio reads of it has been looked at above.
  return spec as unknown as RuntimeSpec;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return JSON.parse(text, reviveBigIntegers);
  } catch (error) {
    throw error instanceof Fault ? error : new Fault("corrupt", "config.json is not JSON", { cause: error });
  }
}

// The third argument gives the digits as they were written: a number above 2^53 has already lost some of them.
function reviveBigIntegers(
  this: unknown,
  key: string,
  value: unknown,
  context?: { readonly source?: string },
): unknown {
  // Go writes null for an absent field; in a list it would be an entry, and is left to the checks.
  if (value === null) return Array.isArray(this) ? null : undefined;
  if (typeof value !== "number" || !bigIntegerFields.has(key)) return value;
  const digits = context?.source ?? "";
  check(/^-?\d{1,20}$/.test(digits), `${key} is not an integer`);
  return BigInt(digits);
}

function checkProcess(process: unknown): void {
  check(isRecord(process), "process is not an object");
  check(isText(process.cwd), "process has no cwd");
  check(process.args === undefined || isTexts(process.args), "process.args is not a list of strings");
  check(process.env === undefined || isTexts(process.env), "process.env is not a list of strings");
  const user = process.user;
  check(isRecord(user) && isId(user.uid ?? 0) && isId(user.gid ?? 0), "process.user has no valid ids");
  const gids = user.additionalGids ?? [];
  check(Array.isArray(gids) && gids.every(isId), "process.user.additionalGids is not a list of ids");
}

function checkMounts(mounts: unknown): void {
  check(Array.isArray(mounts), "mounts is not a list");
  for (const mount of mounts) {
    check(isRecord(mount) && isText(mount.destination), "a mount has no destination");
    check(mount.options === undefined || isTexts(mount.options), "a mount's options are not a list of strings");
  }
}

function checkLinux(linux: unknown): void {
  check(isRecord(linux), "linux is not an object");
  const { namespaces = [], cgroupsPath = "", resources = {} } = linux;
  check(Array.isArray(namespaces) && namespaces.every(isNamespace), "linux.namespaces is not a list of namespaces");
  check(isText(cgroupsPath), "linux.cgroupsPath is not a string");
  check(isRecord(resources), "linux.resources is not an object");
}

function checkTexts(map: unknown): void {
  if (map === undefined) return;
  check(isRecord(map) && Object.values(map).every(isText), "annotations is not a map of strings");
}

function check(holds: boolean, complaint: string): asserts holds {
  if (!holds) throw new Fault("corrupt", `config.json is not a runtime spec: ${complaint}`);
}

function isNamespace(value: unknown): boolean {
  return isRecord(value) && isText(value.type) && (value.path === undefined || isText(value.path));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isId(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}

/** A number in JSON with all its digits; JSON.rawJSON is older than TypeScript's knowledge of it. */
function rawJson(value: bigint): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(value.toString());
}
