import { isUtf8 } from "node:buffer";
import { Fault } from "../../base/index.ts";

/**
 * A name as it stands in an archive: UTF-8 text, or bytes that are no UTF-8, shown as one character per byte.
 * `/` and `.` look the same in both, so paths are taken apart without minding the difference.
 */
export interface TarName {
  readonly text: string;
  readonly bytesAreText: boolean;
}

/** The name with these bytes, none of which is NUL. */
export function tarNameOf(bytes: Uint8Array): TarName {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bytesAreText = isUtf8(buffer);
  return { text: buffer.toString(bytesAreText ? "utf8" : "latin1"), bytesAreText };
}

/** The bytes up to the first NUL, as C reads a string. */
export function cStringBytes(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end === -1 ? bytes : bytes.subarray(0, end);
}

/** The bytes of the name. */
export function tarNameBytes(name: TarName): Buffer {
  return Buffer.from(name.text, name.bytesAreText ? "utf8" : "latin1");
}

/** `name` for a system call. */
export function kernelPath(name: TarName): string | Buffer {
  return name.bytesAreText ? name.text : Buffer.from(name.text, "latin1");
}

/** The same name with another text: a part of it, or `replacement` where that is made of its parts. */
export function withText(name: TarName, text: string): TarName {
  return { text, bytesAreText: name.bytesAreText };
}

/** Linux' PATH_MAX less its NUL. */
const maxPathBytes = 4095;

/**
 * The path of an entry below the root of the layer: `""` for the root itself, else without leading `/`, without `.`, `..`
 * and empty parts. Throws Fault("invalid") for a path that leads out of the root or is longer than the kernel allows.
 */
export function pathInLayer(name: TarName): TarName {
  if (name.text.length > maxPathBytes) {
    throw new Fault("invalid", `a path of ${name.text.length} characters; the kernel allows ${maxPathBytes} bytes`);
  }
  if (isPlain.test(name.text)) return name;
  const parts: string[] = [];
  for (const part of name.text.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined && !name.text.startsWith("/")) {
      throw new Fault("invalid", "the path leads out of the layer");
    }
  }
  return withText(name, parts.join("/"));
}

// Paths that need no cleaning: no part is empty or begins with a dot. Linear, since parts and slashes cannot be confused.
const isPlain = /^[^/.][^/]*(?:\/[^/.][^/]*)*$/;

/** `["usr/bin", "sh"]` of `usr/bin/sh`; the directory is `""` at the root. For a cleaned path. */
export function splitPath(path: string): readonly [directory: string, base: string] {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? ["", path] : [path.slice(0, slash), path.slice(slash + 1)];
}

/** `name` for an error message. */
export function shownName(name: TarName): string {
  return JSON.stringify(name.text.length > 200 ? `${name.text.slice(0, 200)}…` : name.text);
}
