import { Fault } from "../../base/index.ts";

/** Refuses a command of CRI-O that is not built yet. Nothing has been changed. */
export function refuse(name: string): never {
  throw new Fault(
    "unimplemented",
    `"crio ${name}" is not available in this version of crio-ts yet; nothing was changed`,
  );
}
