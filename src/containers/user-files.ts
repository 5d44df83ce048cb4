import { constants, fstatSync } from "node:fs";
import { chown } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault, withStep } from "../base/index.ts";
import { close, openInRoot, readFileInRoot, writeFileAtomic } from "../host/index.ts";
import {
  generatedGroup,
  generatedPasswd,
  homeFrom,
  maxUserFileBytes,
  type ResolvedUser,
  type UserFile,
} from "../security/index.ts";
import { fileMount, type ReadyMount } from "../spec/index.ts";
import type { UserNamespace } from "../state/index.ts";
import { hostRoot, uidInside } from "./user-namespace.ts";

/** The image's /etc/passwd and /etc/group, as far as it has them. */
export interface UserFiles {
  readonly passwd?: UserFile;
  readonly group?: UserFile;
}

/**
 * Reads the user files of a root file system, never leaving it by a symbolic link. Rejects when one is longer than a container
 * engine has any reason to read.
 */
export async function readUserFiles(rootfs: string): Promise<UserFiles> {
  const [passwd, group] = await Promise.all([readUserFile(rootfs, "/etc/passwd"), readUserFile(rootfs, "/etc/group")]);
  return { ...(passwd === undefined ? {} : { passwd }), ...(group === undefined ? {} : { group }) };
}

async function readUserFile(rootfs: string, path: string): Promise<UserFile | undefined> {
  try {
    const content = await readFileInRoot(rootfs, path, maxUserFileBytes);
    return content === undefined ? undefined : { content, ...ownerOf(rootfs, path) };
  } catch (error) {
    if (errnoOf(error) === "EISDIR" || errnoOf(error) === "ELOOP") return undefined;
    throw withStep(`reading ${path} of the image`, error);
  }
}

function ownerOf(rootfs: string, path: string): { mode: number; ownerUid: number } {
  const fd = openInRoot(rootfs, path);
  try {
    const { mode, uid } = fstatSync(fd);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw new Fault("invalid", "it is not a file");
    return { mode: mode & 0o7777, ownerUid: uid };
  } finally {
    close(fd);
  }
}

/**
 * Copies of the user files with a line for a user or group that the image does not know, and the mounts that put them in place. A
 * program that asks who it is then gets an answer (reference: cri.md 3.7).
 */
export async function generatedUserFiles({
  runDir,
  files,
  user,
  env,
  userNamespace,
}: {
  readonly runDir: string;
  readonly files: UserFiles;
  readonly user: ResolvedUser;
  readonly env: readonly string[];
  readonly userNamespace: UserNamespace | undefined;
}): Promise<readonly ReadyMount[]> {
  const mounts: ReadyMount[] = [];
  const { gid } = hostRoot(userNamespace);
  const seen = (file: UserFile) => ({ ...file, ownerUid: uidInside(userNamespace, file.ownerUid) });
  const copy = async (name: string, content: Buffer | undefined, file: UserFile) => {
    if (content !== undefined) mounts.push(await copied({ runDir, name, content, file, gid }));
  };
  if (files.passwd !== undefined) {
    await copy("passwd", generatedPasswd(seen(files.passwd), user, homeFrom(env)), files.passwd);
  }
  if (files.group !== undefined) await copy("group", generatedGroup(seen(files.group), user), files.group);
  return mounts;
}

interface UserFileCopy {
  readonly runDir: string;
  readonly name: string;
  readonly content: Buffer;
  /** The original, by the ids of the host. */
  readonly file: UserFile;
  readonly gid: number;
}

async function copied({ runDir, name, content, file, gid }: UserFileCopy): Promise<ReadyMount> {
  const source = join(runDir, name);
  await writeFileAtomic(source, content, { mode: file.mode & 0o777, durable: false });
  await chown(source, file.ownerUid, gid);
  return fileMount(`/etc/${name}`, { source, access: "rw", confined: true });
}
