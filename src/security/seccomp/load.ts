import { isAbsolute } from "node:path";
import { Fault, reasonOf } from "../../base/index.ts";
import { readBounded } from "../../host/index.ts";
import { maxSeccompProfileBytes, parseSeccompProfile } from "./parse.ts";
import type { SeccompProfile } from "./profile.ts";

/**
 * Reads a profile from a file of the host: the Localhost reference of a request, or a path of the configuration.
 * Rejects with Fault("invalid").
 */
export async function loadSeccompProfile(path: string): Promise<SeccompProfile> {
  try {
    if (!isAbsolute(path)) throw new Fault("invalid", "the path is not absolute");
    return parseSeccompProfile(await readBounded(path, maxSeccompProfileBytes));
  } catch (error) {
    const message = `setup seccomp: unable to load local profile ${JSON.stringify(path)}: ${reasonOf(error)}`;
    throw new Fault("invalid", message, { cause: error });
  }
}

/** Whether this kernel filters system calls. */
export async function hostHasSeccomp(): Promise<boolean> {
  const status = await readBounded("/proc/self/status", 64 * 1024);
  return /^Seccomp:\t[0-2]$/m.test(status.toString("latin1"));
}
