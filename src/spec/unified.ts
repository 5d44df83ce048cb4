import { Fault } from "../base/index.ts";

/**
 * Parses `k=v;k=v` of the unified-cgroup annotation: file names of a cgroup v2 and what is written there, in base64 or as it is.
 * Base64 is tried first, but counts only when text comes out: `1000` is a limit, not three bytes. Rejects with Fault("invalid").
 */
export function parseUnified(annotation: string): Readonly<Record<string, string>> {
  const unified: Record<string, string> = Object.create(null);
  for (const entry of annotation.split(";")) {
    const equals = entry.indexOf("=");
    const key = entry.slice(0, equals);
    const value = textFrom(entry.slice(equals + 1));
    // A name with a slash would be a file of another cgroup.
    if (equals === -1 || !/^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)+$/.test(key) || !isPrintable(value)) {
      throw new Fault("invalid", `invalid annotation ${JSON.stringify(annotation.slice(0, 500))}`);
    }
    unified[key] = value;
  }
  return unified;
}

function textFrom(value: string): string {
  const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value);
  if (!isBase64) return value;
  const decoded = Buffer.from(value, "base64").toString("latin1");
  return isPrintable(decoded) ? decoded : value;
}

function isPrintable(text: string): boolean {
  return /^[\t\n\x20-\x7e]*$/.test(text);
}
