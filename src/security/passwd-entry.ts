import { Fault } from "../base/index.ts";
import { hasControlCharacter, shownText } from "./safe-text.ts";
import type { ResolvedUser } from "./user.ts";

/** A user file of the root file system, and what decides whether a container may rely on it. */
export interface UserFile {
  readonly content: Uint8Array;
  /** Permission bits. */
  readonly mode: number;
  /** As the container sees it. */
  readonly ownerUid: number;
}

/**
 * HOME of the process' environment, "/" when there is none (reference: cri.md 3.7). Rejects with Fault("invalid") for a value
 * that would break out of a line of /etc/passwd.
 */
export function homeFrom(env: readonly string[]): string {
  const home = env.find((entry) => entry.startsWith("HOME="))?.slice("HOME=".length) ?? "";
  if (/[\r\n]/.test(home)) throw new Fault("invalid", "invalid HOME environment; newline not allowed");
  if (hasControlCharacter(home)) throw new Fault("invalid", "invalid HOME environment; control characters not allowed");
  return home === "" ? "/" : home;
}

/** The line that gives the user a name and a home. Rejects with Fault("invalid") for text that a line cannot hold. */
export function passwdEntryFor({ asked, uid, gid }: ResolvedUser, home: string): string {
  const name = asked === "" ? "default" : asked;
  return `${field(name, "user")}:x:${uid}:${gid}:${name} user:${field(home, "HOME")}:/sbin/nologin\n`;
}

/** The line that gives the group a name: its number. */
export function groupEntryFor({ gid }: ResolvedUser): string {
  return `${gid}:x:${gid}:\n`;
}

/**
 * The content of the /etc/passwd that is mounted over the image's, so that programs find the user; undefined when there is
 * nothing to do, or when the image's is missing, empty, or in the container's own hands.
 */
export function generatedPasswd(file: UserFile | undefined, user: ResolvedUser, home: string): Buffer | undefined {
  if (user.hasPasswdEntry || !isExtendable(file, user)) return undefined;
  return withLine(file.content, passwdEntryFor(user, home));
}

/** As `generatedPasswd`, for /etc/group. */
export function generatedGroup(file: UserFile | undefined, user: ResolvedUser): Buffer | undefined {
  if (user.hasGroupEntry || !isExtendable(file, user)) return undefined;
  return withLine(file.content, groupEntryFor(user));
}

function isExtendable(file: UserFile | undefined, { uid }: ResolvedUser): file is UserFile {
  if (file === undefined || file.content.byteLength === 0) return false;
  const ownWritable = file.ownerUid === uid && (file.mode & 0o200) !== 0;
  return (file.mode & 0o022) === 0 && !ownWritable;
}

function withLine(content: Uint8Array, line: string): Buffer {
  const newline = content.at(-1) === 0x0a ? "" : "\n";
  return Buffer.concat([content, Buffer.from(newline + line)]);
}

function field(text: string, what: string): string {
  if (!hasControlCharacter(text) && !text.includes(":") && text.length <= 4096) return text;
  throw new Fault(
    "invalid",
    `invalid ${what} ${shownText(text)} for /etc/passwd: it holds a colon or control character, or is too long`,
  );
}
