import { Fault } from "../../base/index.ts";
import { type PaxRecords, paxName, paxText } from "./pax-records.ts";
import type { TarHeader } from "./tar-header.ts";
import { shownName, type TarName, tarNameOf } from "./tar-name.ts";
import { paxInteger, paxTime } from "./tar-numbers.ts";

export type TarEntryType = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

/** One member of the archive, with all that its extension headers say applied. Untrusted as it stands: no field was compared with the world. */
export interface TarEntry {
  readonly type: TarEntryType;
  readonly name: TarName;
  /** Where a symbolic or hard link points to. */
  readonly link: TarName;
  /** Permission, set-id and sticky bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content that follow; 0 for all but files. */
  readonly size: number;
  readonly modifiedNs: bigint;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly xattrs: readonly (readonly [name: string, value: Uint8Array])[];
}

/** What stood in front of the entry's own header. */
export interface Extensions {
  readonly pax: PaxRecords | undefined;
  readonly gnuName: Uint8Array | undefined;
  readonly gnuLink: Uint8Array | undefined;
}

/**
 * The entry of a header and its extensions. A GNU long name wins over PAX, PAX over the header, as in Go's reader.
 * Throws Fault: "corrupt" for unreadable values, "invalid" for what no layer may hold, "unimplemented" for sparse files.
 */
export function tarEntryOf(header: TarHeader, extensions: Extensions): TarEntry {
  const pax: PaxRecords = extensions.pax ?? new Map();
  const name = tarNameOf(extensions.gnuName ?? paxName(pax, "path") ?? header.name);
  const link = tarNameOf(extensions.gnuLink ?? paxName(pax, "linkpath") ?? header.link);
  refuseSparse(header, pax, name);
  const type = typeOf(header, name);
  const size = integer(pax, "size") ?? header.size;
  if (size < 0) throw new Fault("corrupt", `the size of ${shownName(name)} is negative`);
  const mtime = paxText(pax, "mtime");
  return {
    type,
    name,
    link,
    mode: header.mode & 0o7777,
    uid: owner(integer(pax, "uid") ?? header.uid, "uid"),
    gid: owner(integer(pax, "gid") ?? header.gid, "gid"),
    size: type === "file" ? size : 0,
    modifiedNs: mtime === undefined ? BigInt(header.mtimeSeconds) * 1_000_000_000n : paxTime(mtime, "mtime"),
    deviceMajor: header.deviceMajor,
    deviceMinor: header.deviceMinor,
    xattrs: xattrsOf(pax),
  };
}

function typeOf(header: TarHeader, name: TarName): TarEntryType {
  switch (header.type) {
    case "\0":
      return name.text.endsWith("/") ? "directory" : "file"; // how archives before POSIX marked directories
    case "0":
    case "7":
      return "file";
    case "1":
      return "hardlink";
    case "2":
      return "symlink";
    case "3":
      return "character";
    case "4":
      return "block";
    case "5":
      return "directory";
    case "6":
      return "fifo";
    default:
      throw new Fault(
        "invalid",
        `${shownName(name)} is of type ${JSON.stringify(header.type)}, which no layer may hold`,
      );
  }
}

/** GNU's sparse files, in the old format or as PAX records: a few bytes that claim to be petabytes. No image builder writes them. */
function refuseSparse(header: TarHeader, pax: PaxRecords, name: TarName): void {
  let sparse = header.type === "S";
  for (const key of pax.keys()) sparse ||= key.startsWith("GNU.sparse.");
  if (sparse) throw new Fault("unimplemented", `${shownName(name)} is stored as a sparse file, which is not supported`);
}

function integer(pax: PaxRecords, key: string): number | undefined {
  const text = paxText(pax, key);
  return text === undefined ? undefined : paxInteger(text, key);
}

/** 2³²−1 means "leave it alone" to chown, and nothing larger or negative exists. */
function owner(id: number, what: string): number {
  if (id >= 0 && id < 0xffff_ffff) return id;
  throw new Fault("invalid", `a ${what} of ${id} does not exist on Linux`);
}

const xattrPrefix = "SCHILY.xattr.";

function xattrsOf(pax: PaxRecords): TarEntry["xattrs"] {
  if (pax.size === 0) return [];
  const found: (readonly [string, Uint8Array])[] = [];
  for (const [key, value] of pax) {
    if (key.startsWith(xattrPrefix)) found.push([key.slice(xattrPrefix.length), value]);
  }
  return found;
}
