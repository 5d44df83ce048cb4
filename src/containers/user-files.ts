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
}: {
  readonly runDir: string;
  readonly files: UserFiles;
  readonly user: ResolvedUser;
  readonly env: readonly string[];
}): Promise<readonly ReadyMount[]> {
  const mounts: ReadyMount[] = [];
  const passwd = generatedPasswd(files.passwd, user, homeFrom(env));
  if (passwd !== undefined && files.passwd !== undefined)
    mounts.push(await copied(runDir, "passwd", passwd, files.passwd));
  const group = generatedGroup(files.group, user);
  if (group !== undefined && files.group !== undefined) mounts.push(await copied(runDir, "group", group, files.group));
  return mounts;
}

async function copied(runDir: string, name: string, content: Buffer, original: UserFile): Promise<ReadyMount> {
  const source = join(runDir, name);
  await writeFileAtomic(source, content, { mode: original.mode & 0o777, durable: false });
  await chown(source, original.ownerUid, 0);
  return fileMount(`/etc/${name}`, { source, access: "rw", confined: true });
}
