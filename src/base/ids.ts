import { randomBytes } from "node:crypto";

/** A fresh id of a pod, container or layer: 64 lower-case hex digits. */
export function newId(): string {
  return randomBytes(32).toString("hex");
}

/** The twelve digits people read in listings. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}
