import { Fault } from "../base/index.ts";
import { maxId } from "./id-maps.ts";

/** What is read of an image's /etc/passwd or /etc/group at most: some twenty thousand users. */
export const maxUserFileBytes = 1024 * 1024;

export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The entries of a passwd(5) file in order; comments, NIS lines and lines without valid ids are passed over. */
export function* passwdEntries(file: Uint8Array): Generator<PasswdEntry> {
  for (const line of linesOf(file, "/etc/passwd")) {
    const [name = "", , uidText = "", gidText = ""] = line.split(":", 4);
    const uid = idFrom(uidText);
    const gid = idFrom(gidText);
    if (isName(name) && uid !== undefined && gid !== undefined) yield { name, uid, gid };
  }
}

/** The entries of a group(5) file in order. */
export function* groupEntries(file: Uint8Array): Generator<GroupEntry> {
  for (const line of linesOf(file, "/etc/group")) {
    const [name = "", , gidText = "", members = ""] = line.split(":", 4);
    const gid = idFrom(gidText);
    if (isName(name) && gid !== undefined) yield { name, gid, members: members === "" ? [] : members.split(",") };
  }
}

/** A user or group id in plain decimal digits; undefined for all else, ids beyond 2^32-2 included. */
export function idFrom(digits: string): number | undefined {
  if (!/^(0|[1-9]\d{0,9})$/.test(digits)) return undefined;
  const id = Number(digits);
  return id <= maxId ? id : undefined;
}

function* linesOf(file: Uint8Array, name: string): Generator<string> {
  if (file.byteLength > maxUserFileBytes) {
    throw new Fault("exhausted", `${name} of the image has more than ${maxUserFileBytes} bytes`);
  }
  const text = Buffer.from(file.buffer, file.byteOffset, file.byteLength).toString("utf8");
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf("\n", start);
    yield text.slice(start, end === -1 ? text.length : end);
    start = end === -1 ? text.length : end + 1;
  }
}

function isName(name: string): boolean {
  return name !== "" && !/^[#+-]/.test(name);
}
