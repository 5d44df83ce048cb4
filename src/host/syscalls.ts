import { constants } from "node:fs";
import { cString, type KernelPath, shown } from "./c-string.ts";
import { libc } from "./libc.ts";
import { SystemCallError } from "./system-call-error.ts";

/** Kernel constants that Node does not export. Equal on x86_64 and aarch64, unlike O_DIRECTORY and O_NOFOLLOW, which Node does. */
export const kernel = {
  AT_FDCWD: -100,
  AT_SYMLINK_NOFOLLOW: 0x100,
  AT_RECURSIVE: 0x8000,
  AT_EMPTY_PATH: 0x1000,
  O_CLOEXEC: 0o2000000,
  O_PATH: 0o10000000,
  CLONE_FS: 0x200,
  CLONE_NEWNS: 0x0002_0000,
  CLONE_NEWUTS: 0x0400_0000,
  CLONE_NEWIPC: 0x0800_0000,
  CLONE_NEWUSER: 0x1000_0000,
  CLONE_NEWPID: 0x2000_0000,
  CLONE_NEWNET: 0x4000_0000,
  XATTR_CREATE: 1,
  XATTR_REPLACE: 2,
  S_IFIFO: constants.S_IFIFO,
  S_IFCHR: constants.S_IFCHR,
  S_IFBLK: constants.S_IFBLK,
  S_IFREG: constants.S_IFREG,
  S_IFSOCK: constants.S_IFSOCK,
} as const;

/**
 * Checks the result of a system call made this very moment: -1 throws a SystemCallError with the thread's errno.
 * Nothing may come between the call and this check.
 */
export function checked(result: number | bigint, syscall: string, path?: KernelPath): number {
  const number = Number(result);
  if (number === -1) throw failed(libc().errno(), syscall, path);
  return number;
}

/** The error of a call that hands back its errno instead of setting it, as `posix_spawn` does. */
export function failed(errno: number, syscall: string, path?: KernelPath): SystemCallError {
  return new SystemCallError(syscall, errno, {
    code: libc().errnoName(errno),
    path: path === undefined ? undefined : shown(path),
  });
}

// Every function below is synchronous, acts for the calling thread where the kernel's state is per thread (unshare,
// setns, chroot), and throws a SystemCallError.

/** unshare(2) with `kernel.CLONE_*` flags. CLONE_FS, then chroot, confines one worker thread. */
export function unshare(flags: number): void {
  checked(libc().unshare(flags), "unshare");
}

/** A root and working directory of this thread's own, to be followed by `chroot`. For worker threads only. */
export function unshareFs(): void {
  unshare(kernel.CLONE_FS);
}

/** setns(2): moves this thread into the namespace of `fd`, which must be of kind `flags` (`kernel.CLONE_NEW*`). */
export function setns(fd: number, flags: number): void {
  checked(libc().setns(fd, flags), "setns");
}

export function chroot(path: KernelPath): void {
  checked(libc().chroot(cString(path)), "chroot", path);
}

/** The working directory of this thread, or of all threads that have not unshared theirs (`process.chdir` refuses in workers). */
export function chdir(path: KernelPath): void {
  checked(libc().chdir(cString(path)), "chdir", path);
}

export function fchdir(fd: number): void {
  checked(libc().fchdir(fd), "fchdir");
}

/** openat(2), always with O_CLOEXEC. The descriptor is the caller's to close (`fs.closeSync` or `close`). */
export function openat(directory: number, path: KernelPath, flags: number, mode = 0): number {
  return checked(libc().openat(directory, cString(path), flags | kernel.O_CLOEXEC, mode), "openat", path);
}

/** close(2). Unlike `fs.closeSync`, it does not warn in worker threads about descriptors that Node did not open. */
export function close(fd: number): void {
  checked(libc().close(fd), "close");
}

/** mkdirat(2). The umask applies to `mode`. */
export function mkdirat(directory: number, path: KernelPath, mode: number): void {
  checked(libc().mkdirat(directory, cString(path), mode), "mkdirat", path);
}

/** mknod(2). `mode` is type and permissions (`kernel.S_IFCHR | 0o666`; the umask applies), `device` from `makedev`. */
export function mknod(path: KernelPath, mode: number, device: number): void {
  const number = process.arch === "x64" ? 259 : 33;
  checked(libc().mknodat(number, kernel.AT_FDCWD, cString(path), mode, device), "mknod", path);
}

/** The kernel's number of a device. Throws a RangeError beyond 12 bits of major and 20 bits of minor, which it cannot hold. */
export function makedev(major: number, minor: number): number {
  const fits = (value: number, bits: number) => Number.isInteger(value) && value >= 0 && value < 2 ** bits;
  if (!fits(major, 12) || !fits(minor, 20)) throw new RangeError(`no such device number: ${major}:${minor}`);
  return (((minor & ~0xff) << 12) | (major << 8) | (minor & 0xff)) >>> 0;
}

/** chmod(2), follows symbolic links; `mode` may carry the set-id and sticky bits. */
export function chmod(path: KernelPath, mode: number): void {
  checked(libc().chmod(cString(path), mode), "chmod", path);
}

/** lchown(2). Clears set-id bits of files, so do it before `chmod`. */
export function lchown(path: KernelPath, uid: number, gid: number): void {
  checked(libc().lchown(cString(path), uid, gid), "lchown", path);
}

/** utimensat(2) with nanoseconds since the epoch, which may be negative. */
export function utimensAt(
  path: KernelPath,
  accessedNs: bigint,
  modifiedNs: bigint,
  options: { nofollow: boolean },
): void {
  const times = Buffer.alloc(32);
  writeTimespec(times, 0, accessedNs);
  writeTimespec(times, 16, modifiedNs);
  const flags = options.nofollow ? kernel.AT_SYMLINK_NOFOLLOW : 0;
  checked(libc().utimensat(kernel.AT_FDCWD, cString(path), times, flags), "utimensat", path);
}

function writeTimespec(buffer: Buffer, offset: number, ns: bigint): void {
  const fraction = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n; // the kernel wants 0..999999999, also before 1970
  buffer.writeBigInt64LE((ns - fraction) / 1_000_000_000n, offset);
  buffer.writeBigInt64LE(fraction, offset + 8);
}

/** lsetxattr(2); `flags` 0, `kernel.XATTR_CREATE` or `kernel.XATTR_REPLACE`. */
export function lsetxattr(path: KernelPath, name: string, value: Uint8Array, flags = 0): void {
  checked(libc().lsetxattr(cString(path), cString(name), value, value.length, flags), `lsetxattr ${shown(name)}`, path);
}

/** lgetxattr(2): undefined when there is no such attribute. */
export function lgetxattr(path: KernelPath, name: string): Buffer | undefined {
  const [file, attribute] = [cString(path), cString(name)];
  try {
    return sized(
      (buffer) => libc().lgetxattr(file, attribute, buffer, buffer?.length ?? 0),
      `lgetxattr ${shown(name)}`,
      path,
    );
  } catch (error) {
    if (error instanceof SystemCallError && error.code === "ENODATA") return undefined;
    throw error;
  }
}

/** llistxattr(2): the names, in the file system's order. */
export function llistxattr(path: KernelPath): readonly string[] {
  const file = cString(path);
  const list = sized((buffer) => libc().llistxattr(file, buffer, buffer?.length ?? 0), "llistxattr", path);
  return list.length === 0 ? [] : list.toString("utf8", 0, list.length - 1).split("\0");
}

export function lremovexattr(path: KernelPath, name: string): void {
  checked(libc().lremovexattr(cString(path), cString(name)), `lremovexattr ${shown(name)}`, path);
}

/** Asks for the size, then for the value; again when the value grew in between. The kernel's limit is 64 KiB. */
function sized(get: (buffer: Buffer | null) => number | bigint, syscall: string, path: KernelPath): Buffer {
  for (let attempt = 0; ; attempt++) {
    const size = checked(get(null), syscall, path);
    if (size === 0) return Buffer.alloc(0);
    const buffer = Buffer.alloc(size);
    try {
      return buffer.subarray(0, checked(get(buffer), syscall, path));
    } catch (error) {
      const grew = error instanceof SystemCallError && error.code === "ERANGE";
      if (!grew || attempt === 8) throw error;
    }
  }
}
