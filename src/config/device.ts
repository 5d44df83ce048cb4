import { posix } from "node:path";
import { Fault } from "../base/index.ts";

/** A device of the host that containers get, as written in `additional_devices` or an annotation. */
export interface DeviceRequest {
  readonly source: string;
  readonly destination: string;
  /** Of `r`, `w` and `m`. */
  readonly permissions: string;
}

/**
 * Parses `source[:destination][:permissions]`; the destination is the source unless given, the permissions `rwm`.
 * Throws `Fault("invalid")` unless the destination lies below /dev/ and the permissions are out of `rwm` without repeats.
 */
export function parseDevice(text: string): DeviceRequest {
  const [source = "", second, third, ...more] = text.split(":");
  if (source === "" || more.length > 0) throw invalid(text, "write it as source[:destination][:permissions]");
  const destination = second === undefined || (third === undefined && arePermissions(second)) ? source : second;
  const permissions =
    third ?? (destination === source && second !== undefined && arePermissions(second) ? second : "rwm");
  if (!posix.normalize(destination).startsWith("/dev/")) {
    throw invalid(text, `the path in the container, ${JSON.stringify(destination)}, must lie below /dev/`);
  }
  if (!arePermissions(permissions)) {
    throw invalid(text, `permissions ${JSON.stringify(permissions)} must be out of r, w and m, each once`);
  }
  return { source, destination: posix.normalize(destination), permissions };
}

function arePermissions(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}

function invalid(text: string, why: string): Fault {
  return new Fault("invalid", `invalid device specification ${JSON.stringify(text)}: ${why}`);
}
