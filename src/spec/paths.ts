import { posix } from "node:path";
import { Fault } from "../base/index.ts";

/** Like realpath in a world without symbolic links: absolute, no `.`, `..`, double or trailing slashes. */
export function cleanPath(path: string): string {
  const clean = posix.normalize(`/${path}`).replace(/^\/+/, "/");
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

/** Components of a clean path; the root has none. */
export function depthOf(path: string): number {
  return cleanPath(path)
    .split("/")
    .filter((part) => part !== "").length;
}

/** Whether the clean `path` is `directory` or below it. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

/** Refuses text with NUL, where programs written in C would stop reading. */
export function refuseNul(text: string, what: string): void {
  if (text.includes("\0")) throw new Fault("invalid", `${what} holds a NUL character`);
}
