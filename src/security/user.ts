import { Fault } from "../base/index.ts";
import { maxId } from "./id-maps.ts";
import { type GroupEntry, groupEntries, idFrom, type PasswdEntry, passwdEntries } from "./passwd-file.ts";
import { hasControlCharacter, shownText } from "./safe-text.ts";

export interface UserRequest {
  /** Content of the root file system's /etc/passwd and /etc/group, at most `maxUserFileBytes` each; absent when there is none. */
  readonly passwd?: Uint8Array;
  readonly group?: Uint8Array;
  /** `User` of the image's configuration: a name or id, perhaps with `:group`; "" is root. */
  readonly imageUser: string;
  readonly runAsUser?: bigint;
  readonly runAsUsername: string;
  readonly runAsGroup?: bigint;
  readonly supplementalGroups: readonly bigint[];
  /** Merge adds the groups that /etc/group gives the user. */
  readonly policy: "merge" | "strict";
}

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** The primary group first, each once. */
  readonly additionalGids: readonly number[];
  /** The user as it was asked for, without group; "" when nobody said anything. */
  readonly asked: string;
  readonly hasPasswdEntry: boolean;
  readonly hasGroupEntry: boolean;
}

/** setgroups(2) takes no more. */
const maxGroups = 65_536;

/**
 * Who the container's process is (reference: cri.md 3.7): run_as_username, else run_as_user, else the image's user. What looks
 * like a number is one, and never looked up as a name; ids must be from 0 to 2^32-2 in plain digits. Rejects with
 * Fault("invalid"), and with Fault("exhausted") for a user file beyond the limit.
 */
export function resolveUser(request: UserRequest): ResolvedUser {
  const { runAsUser, runAsGroup, runAsUsername } = request;
  if (runAsGroup !== undefined && runAsUser === undefined && runAsUsername === "") {
    throw new Fault("invalid", "user group is specified without user or username");
  }
  const [userText, groupText] = userAndGroup(wantedUser(request));
  const known = findUser(userText, request.passwd);
  const groups = findGroups(request.group, { groupText, userName: known.name });
  const gid = runAsGroup === undefined ? (groups.primary ?? known.gid) : checkedId(runAsGroup, "run_as_group");
  const fromFile = request.policy === "merge" ? groups.member : [];
  const supplemental = request.supplementalGroups.map((id) => checkedId(id, "supplemental_groups"));
  const additionalGids = [...new Set([gid, ...fromFile, ...supplemental])];
  if (additionalGids.length > maxGroups) throw new Fault("invalid", `get exec user: more than ${maxGroups} groups`);
  return {
    uid: known.uid,
    gid,
    additionalGids,
    asked: userText,
    hasPasswdEntry: known.name !== undefined,
    hasGroupEntry: request.group !== undefined && groupEntries(request.group).some((entry) => entry.gid === gid),
  };
}

function wantedUser({ imageUser, runAsUser, runAsUsername }: UserRequest): string {
  if (runAsUsername !== "") return runAsUsername;
  return runAsUser === undefined ? imageUser : `${checkedId(runAsUser, "run_as_user")}`;
}

function userAndGroup(text: string): readonly [user: string, group: string] {
  const [user = "", group = "", ...more] = text.split(":");
  if (more.length > 0 || hasControlCharacter(text)) {
    throw new Fault("invalid", `get exec user: invalid user ${shownText(text)}: it must be user or user:group`);
  }
  return [user, group];
}

/** `name` is there when /etc/passwd has the user. */
function findUser(text: string, passwd: Uint8Array | undefined): { uid: number; gid: number; name?: string } {
  const uid = text === "" ? 0 : numericId(text);
  const isWanted = (entry: PasswdEntry) => (uid === undefined ? entry.name === text : entry.uid === uid);
  const entry = passwd === undefined ? undefined : passwdEntries(passwd).find(isWanted);
  if (entry !== undefined) return entry;
  if (uid !== undefined) return { uid, gid: 0 };
  throw new Fault(
    "invalid",
    `get exec user: unable to find user ${shownText(text)}: no matching entries in passwd file`,
  );
}

function findGroups(
  file: Uint8Array | undefined,
  { groupText, userName }: { readonly groupText: string; readonly userName: string | undefined },
): { readonly primary?: number; readonly member: readonly number[] } {
  if (groupText !== "") return { primary: findGroup(groupText, file), member: [] };
  if (file === undefined || userName === undefined) return { member: [] };
  const isMember = (entry: GroupEntry) => entry.members.includes(userName);
  return {
    member: [
      ...groupEntries(file)
        .filter(isMember)
        .map((entry) => entry.gid)
        .take(maxGroups + 1),
    ],
  };
}

function findGroup(text: string, file: Uint8Array | undefined): number {
  const gid = numericId(text);
  if (gid !== undefined) return gid;
  const entry = file === undefined ? undefined : groupEntries(file).find(({ name }) => name === text);
  if (entry !== undefined) return entry.gid;
  throw new Fault(
    "invalid",
    `get exec user: unable to find group ${shownText(text)}: no matching entries in group file`,
  );
}

/** The id when the text looks like a number, undefined when it can only be a name. */
function numericId(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const id = idFrom(text);
  if (id !== undefined) return id;
  throw new Fault(
    "invalid",
    `get exec user: uids and gids must be in range 0-${maxId} and in plain digits, not ${shownText(text)}`,
  );
}

function checkedId(id: bigint, field: string): number {
  if (id >= 0n && id <= BigInt(maxId)) return Number(id);
  throw new Fault("invalid", `get exec user: ${field} ${id}: uids and gids must be in range 0-${maxId}`);
}
