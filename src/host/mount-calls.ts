import { cString, type KernelPath } from "./c-string.ts";
import { libc } from "./libc.ts";
import { checked, close, kernel } from "./syscalls.ts";

// The mount API of Linux 5.2, as typed functions. Numbers and constants are the same on x86_64 and aarch64.
const SYS_open_tree = 428;
const SYS_move_mount = 429;
const SYS_fsopen = 430;
const SYS_fsconfig = 431;
const SYS_fsmount = 432;
const SYS_mount_setattr = 442;

const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;

/** Files belong to whom the mount's user namespace says. */
const MOUNT_ATTR_IDMAP = 0x0010_0000;

export const mountAttributes = { readonly: 1, nosuid: 2, nodev: 4, noexec: 8 } as const;

/** A context for making a file system of `type`. The caller closes it. */
export function fsopen(type: string): number {
  return checked(libc().fsopen(SYS_fsopen, cString(type), FSOPEN_CLOEXEC), "fsopen", type);
}

/** One option of a file system that is being made: `key=value`, or `key` alone. A value has at most 255 bytes. */
export function fsconfig(context: number, key: string, value?: string): void {
  const command = value === undefined ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
  const text = value === undefined ? null : cString(value);
  checked(libc().fsconfig(SYS_fsconfig, context, command, cString(key), text, 0), "fsconfig", `${key}=${value ?? ""}`);
}

/** All options are given: makes the file system. */
export function fscreate(context: number): void {
  checked(libc().fsconfig(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, null, null, 0), "fsconfig create");
}

/** A mount of the file system that was made, not yet attached anywhere. The caller closes it. */
export function fsmount(context: number, attributes: number): number {
  return checked(libc().fsmount(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes), "fsmount");
}

/** A copy of the mount that `path` is on, with `path` as its root, not yet attached. The caller closes it. */
export function cloneTree(path: KernelPath, options: { readonly recursive: boolean }): number {
  const flags = OPEN_TREE_CLONE | kernel.O_CLOEXEC | (options.recursive ? kernel.AT_RECURSIVE : 0);
  return checked(libc().openTree(SYS_open_tree, kernel.AT_FDCWD, cString(path), flags), "open_tree", path);
}

/** Sets attributes of a mount that is not attached yet. */
export function setMountAttributes(mount: number, attributes: number, options: { readonly recursive: boolean }): void {
  const attr = Buffer.alloc(32); // struct mount_attr: set, clear, propagation, user namespace
  attr.writeBigUInt64LE(BigInt(attributes), 0);
  const flags = kernel.AT_EMPTY_PATH | (options.recursive ? kernel.AT_RECURSIVE : 0);
  checked(libc().mountSetattr(SYS_mount_setattr, mount, "", flags, attr, attr.length), "mount_setattr");
}

/**
 * From now on, through this mount, what belongs to an id inside the user namespace belongs to the id that it has outside. Once for a
 * mount that is not attached yet; the file system must know how (FS_ALLOW_IDMAP).
 */
export function mapMountOwners(mount: number, userNamespace: number): void {
  const attr = Buffer.alloc(32);
  attr.writeBigUInt64LE(BigInt(MOUNT_ATTR_IDMAP), 0);
  attr.writeBigUInt64LE(BigInt(userNamespace), 24);
  const done = libc().mountSetattr(SYS_mount_setattr, mount, "", kernel.AT_EMPTY_PATH, attr, attr.length);
  checked(done, "mount_setattr");
}

/** Attaches a mount. A symbolic link as the last part of `target` is not followed. */
export function attachMount(mount: number, target: string): void {
  const moved = libc().moveMount(SYS_move_mount, mount, "", kernel.AT_FDCWD, cString(target), MOVE_MOUNT_F_EMPTY_PATH);
  checked(moved, "move_mount", target);
}

/**
 * What the kernel has to say about a context: its messages, errors first, at most 16 of them. It knows better than
 * errno what was wrong ("overlay: Unknown parameter 'x'").
 */
export function contextMessages(context: number): string {
  const buffer = Buffer.alloc(4096);
  const messages: string[] = [];
  while (messages.length < 16) {
    const size = Number(libc().read(context, buffer, buffer.length)); // one message at a time, ENODATA after the last
    if (size <= 0) break;
    messages.push(buffer.toString("utf8", 0, size).trim());
  }
  const errors = messages.filter((message) => message.startsWith("e "));
  // A message is a letter for its level, a space, and the text.
  return (errors.length > 0 ? errors : messages).map((message) => message.slice(2)).join("; ");
}

/** Runs `work` with a descriptor and closes it, however that ends. */
export function withDescriptor<T>(fd: number, work: (fd: number) => T): T {
  try {
    return work(fd);
  } finally {
    close(fd);
  }
}
