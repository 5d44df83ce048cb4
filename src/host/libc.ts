import { createRequire } from "node:module";
import type { KoffiFunc } from "koffi";
import type { KernelPath } from "./c-string.ts";

type Text = KernelPath | null;
type Pointer = Uint8Array | bigint | null;
type Count = number | bigint;

/** The C library's functions, exactly as C declares them; -1 means look at `errno()` at once. Only `host/` calls these. */
export interface Libc {
  /** errno of the last call on this thread. Valid only until the next call through this object. */
  errno(): number;
  /** The name of an errno, such as `"ENOENT"`. */
  errnoName(errno: number): string;
  /** The machine address of a buffer, for pointers inside structs. The buffer must outlive its use. */
  addressOf(buffer: Uint8Array): bigint;
  /** The address of an exported function, for handing it to another one. */
  symbol(name: string): bigint;

  mount(source: Text, target: Text, type: Text, flags: Count, data: Text): number;
  umount2(target: Text, flags: number): number;
  unshare(flags: number): number;
  setns(fd: number, flags: number): number;
  chroot(path: Text): number;
  chdir(path: Text): number;
  fchdir(fd: number): number;
  sethostname(name: Text, length: number): number;
  prctl(option: number, a: Count, b: Count, c: Count, d: Count): number;
  /** The system call, which acts on this thread alone; libc's function of that name acts on all. */
  setresuidThread(number: number, real: number, effective: number, saved: number): Count;
  sched_getaffinity(pid: number, size: Count, mask: Pointer): number;
  sched_setaffinity(pid: number, size: Count, mask: Pointer): number;
  pthread_sigmask(how: number, set: Pointer, old: Pointer): number;
  clone(body: Pointer, stack: Count, flags: number, argument: Pointer): number;
  mmap(address: Pointer, length: Count, protection: number, flags: number, fd: number, offset: Count): bigint;
  munmap(address: Pointer, length: Count): number;
  kill(pid: number, signal: number): number;

  fcntlNumber(fd: number, command: number, argument: Count): number;
  fcntlPointer(fd: number, command: number, argument: Pointer): number;
  ioctl(fd: number, request: Count, argument: Pointer): number;
  close(fd: number): number;
  dup2(from: number, to: number): number;
  pipe2(ends: Pointer, flags: number): number;
  read(fd: number, buffer: Pointer, size: Count): Count;
  syncfs: KoffiFunc<(fd: number) => number>;

  socket(domain: number, type: number, protocol: number): number;
  socketpair(domain: number, type: number, protocol: number, ends: Pointer): number;
  bind(fd: number, address: Pointer, size: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Pointer, size: Pointer, flags: number): number;
  connect(fd: number, address: Pointer, size: number): number;
  sendto(fd: number, data: Pointer, size: Count, flags: number, address: Pointer, addressSize: number): Count;
  recvmsg(fd: number, message: Pointer, flags: number): Count;

  chmod(path: Text, mode: number): number;
  lchown(path: Text, uid: number, gid: number): number;
  mkdirat(directory: number, path: Text, mode: number): number;
  openat(directory: number, path: Text, flags: number, mode: number): number;
  utimensat(directory: number, path: Text, times: Pointer, flags: number): number;
  lsetxattr(path: Text, name: Text, value: Pointer, size: Count, flags: number): number;
  lgetxattr(path: Text, name: Text, value: Pointer, size: Count): Count;
  llistxattr(path: Text, list: Pointer, size: Count): Count;
  lremovexattr(path: Text, name: Text): number;
  /** The `mknodat` system call: glibc before 2.33 does not export the function. */
  mknodat(number: number, directory: number, path: Text, mode: number, device: number): Count;

  waitpid(pid: number, status: Pointer, options: number): number;
  waitid(type: number, id: number, info: Pointer, options: number): number;
  posix_spawn: KoffiFunc<
    (pid: Pointer, path: Text, actions: Pointer, attributes: Pointer, argv: List, envp: List) => number
  >;
  posix_spawnattr_init(attributes: Pointer): number;
  posix_spawnattr_destroy(attributes: Pointer): number;
  posix_spawnattr_setflags(attributes: Pointer, flags: number): number;
  posix_spawnattr_setsigdefault(attributes: Pointer, set: Pointer): number;
  posix_spawnattr_setsigmask(attributes: Pointer, set: Pointer): number;
  posix_spawn_file_actions_init(actions: Pointer): number;
  posix_spawn_file_actions_destroy(actions: Pointer): number;
  posix_spawn_file_actions_adddup2(actions: Pointer, from: number, to: number): number;
  posix_spawn_file_actions_addopen(actions: Pointer, fd: number, path: Text, flags: number, mode: number): number;
  posix_spawn_file_actions_addchdir_np(actions: Pointer, path: Text): number;
  /** glibc 2.34 has it; before, only the close-on-exec flags keep descriptors from children. */
  posix_spawn_file_actions_addclosefrom_np: ((actions: Pointer, from: number) => number) | undefined;

  fsopen(number: number, type: Text, flags: number): Count;
  fsconfig(number: number, fd: number, command: number, key: Text, value: Text, aux: number): Count;
  fsmount(number: number, fd: number, flags: number, attributes: number): Count;
  openTree(number: number, directory: number, path: Text, flags: number): Count;
  mountSetattr(number: number, fd: number, path: Text, flags: number, attr: Pointer, size: Count): Count;
  moveMount(number: number, from: number, fromPath: Text, to: number, toPath: Text, flags: number): Count;
  openat2(number: number, directory: number, path: Text, how: Pointer, size: Count): Count;
  pidfdOpen(number: number, pid: number, flags: number): Count;
  pidfdSendSignal(number: number, fd: number, signal: number, info: Pointer, flags: number): Count;
}

type List = readonly (string | null)[];
type Declaration = readonly [result: string, ...parameters: string[]];
type Functions = Omit<
  Libc,
  "errno" | "errnoName" | "addressOf" | "symbol" | "posix_spawn_file_actions_addclosefrom_np"
>;

const declarations: Readonly<Record<keyof Functions, Declaration>> = {
  mount: ["int", "str", "str", "str", "ulong", "str"],
  umount2: ["int", "str", "int"],
  unshare: ["int", "int"],
  setns: ["int", "int", "int"],
  chroot: ["int", "str"],
  chdir: ["int", "str"],
  fchdir: ["int", "int"],
  sethostname: ["int", "str", "size_t"],
  prctl: ["int", "int", "ulong", "ulong", "ulong", "ulong"],
  setresuidThread: ["long", "long", "uint", "uint", "uint"],
  sched_getaffinity: ["int", "int", "size_t", "void *"],
  sched_setaffinity: ["int", "int", "size_t", "void *"],
  pthread_sigmask: ["int", "int", "void *", "void *"],
  clone: ["int", "void *", "uintptr_t", "int", "void *"],
  mmap: ["void *", "void *", "size_t", "int", "int", "int", "long"],
  munmap: ["int", "void *", "size_t"],
  kill: ["int", "int", "int"],
  fcntlNumber: ["int", "int", "int", "long"],
  fcntlPointer: ["int", "int", "int", "void *"],
  ioctl: ["int", "int", "ulong", "void *"],
  close: ["int", "int"],
  dup2: ["int", "int", "int"],
  pipe2: ["int", "void *", "int"],
  read: ["long", "int", "void *", "size_t"],
  syncfs: ["int", "int"],
  socket: ["int", "int", "int", "int"],
  socketpair: ["int", "int", "int", "int", "void *"],
  bind: ["int", "int", "void *", "uint"],
  listen: ["int", "int", "int"],
  accept4: ["int", "int", "void *", "void *", "int"],
  connect: ["int", "int", "void *", "uint"],
  sendto: ["long", "int", "void *", "size_t", "int", "void *", "uint"],
  recvmsg: ["long", "int", "void *", "int"],
  chmod: ["int", "str", "uint"],
  lchown: ["int", "str", "uint", "uint"],
  mkdirat: ["int", "int", "str", "uint"],
  openat: ["int", "int", "str", "int", "uint"],
  utimensat: ["int", "int", "str", "void *", "int"],
  lsetxattr: ["int", "str", "str", "void *", "size_t", "int"],
  lgetxattr: ["long", "str", "str", "void *", "size_t"],
  llistxattr: ["long", "str", "void *", "size_t"],
  lremovexattr: ["int", "str", "str"],
  mknodat: ["long", "long", "int", "str", "uint", "uint"],
  waitpid: ["int", "int", "void *", "int"],
  waitid: ["int", "int", "uint", "void *", "int"],
  posix_spawn: ["int", "void *", "str", "void *", "void *", "const char **", "const char **"],
  posix_spawnattr_init: ["int", "void *"],
  posix_spawnattr_destroy: ["int", "void *"],
  posix_spawnattr_setflags: ["int", "void *", "short"],
  posix_spawnattr_setsigdefault: ["int", "void *", "void *"],
  posix_spawnattr_setsigmask: ["int", "void *", "void *"],
  posix_spawn_file_actions_init: ["int", "void *"],
  posix_spawn_file_actions_destroy: ["int", "void *"],
  posix_spawn_file_actions_adddup2: ["int", "void *", "int", "int"],
  posix_spawn_file_actions_addopen: ["int", "void *", "int", "str", "int", "uint"],
  posix_spawn_file_actions_addchdir_np: ["int", "void *", "str"],
  fsopen: ["long", "long", "str", "uint"],
  fsconfig: ["long", "long", "int", "uint", "str", "str", "int"],
  fsmount: ["long", "long", "int", "uint", "uint"],
  openTree: ["long", "long", "int", "str", "uint"],
  mountSetattr: ["long", "long", "int", "str", "uint", "void *", "size_t"],
  moveMount: ["long", "long", "int", "str", "int", "str", "uint"],
  openat2: ["long", "long", "int", "str", "void *", "size_t"],
  pidfdOpen: ["long", "long", "int", "uint"],
  pidfdSendSignal: ["long", "long", "int", "int", "void *", "uint"],
};

/** Where the name here is not the C function's. The numbered system calls all go through `syscall`. */
const symbols: Readonly<Partial<Record<keyof Functions, string>>> = {
  fcntlNumber: "fcntl",
  fcntlPointer: "fcntl",
  mknodat: "syscall",
  setresuidThread: "syscall",
  fsopen: "syscall",
  fsconfig: "syscall",
  fsmount: "syscall",
  openTree: "syscall",
  mountSetattr: "syscall",
  moveMount: "syscall",
  openat2: "syscall",
  pidfdOpen: "syscall",
  pidfdSendSignal: "syscall",
};

// The one piece of module-level state in host/ besides the tables of what the kernel keeps once per process (see
// reaper.ts, file-locks.ts): the binding has no state of its own, loading it twice would only cost memory, and handing
// it to every function that makes a system call would put it into every signature of the project.
let bound: Libc | undefined;

/** The C library, loaded at first use: commands that make no system calls of ours never load the FFI addon (20 ms). */
export function libc(): Libc {
  bound ??= load();
  return bound;
}

function load(): Libc {
  // require, not import: it happens when first needed, in whatever thread, and the bundler leaves it alone.
  const koffi: typeof import("koffi") = createRequire(import.meta.url)("koffi");
  const library = koffi.load("libc.so.6");
  const functions = Object.entries(declarations).map(([name, [result, ...parameters]]) => {
    const symbol = symbols[name as keyof Functions] ?? name; // Object.entries loses the key type
    return [name, library.func(symbol, result, parameters)] as const;
  });
  // Reversed, for the first of two names to win: EAGAIN and ENOTSUP, as Node has it, not EWOULDBLOCK and EOPNOTSUPP.
  const byName = Object.entries(koffi.os.errno).sort(([a], [b]) => (a < b ? 1 : -1));
  const names = new Map(byName.map(([name, number]) => [number, name]));
  const rest = {
    errno: () => koffi.errno(),
    errnoName: (errno: number) => names.get(errno) ?? `E${errno}`,
    addressOf: (buffer: Uint8Array) => koffi.address(buffer),
    symbol: (name: string) => library.symbol(name),
    posix_spawn_file_actions_addclosefrom_np: optional(() =>
      library.func("posix_spawn_file_actions_addclosefrom_np", "int", ["void *", "int"]),
    ),
  };
  // koffi's functions are untyped; `declarations` above is what makes this cast true.
  return Object.assign(Object.fromEntries(functions), rest) as unknown as Libc;
}

function optional<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}
