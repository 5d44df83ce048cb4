import { constants, openSync } from "node:fs";
import { errnoOf, Fault, type FaultCode, reasonOf } from "../base/index.ts";
import { cString } from "./c-string.ts";
import { libc } from "./libc.ts";
import {
  attachMount,
  cloneTree,
  contextMessages,
  fsconfig,
  fscreate,
  fsmount,
  fsopen,
  mapMountOwners,
  mountAttributes,
  setMountAttributes,
  withDescriptor,
} from "./mount-calls.ts";
import { checked } from "./syscalls.ts";

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const MS_REC = 0x4000;
const propagationFlags = { unbindable: 1 << 17, private: 1 << 18, slave: 1 << 19, shared: 1 << 20 } as const;

export type MountFlag = "nosuid" | "nodev" | "noexec";

export interface TmpfsPlan {
  readonly target: string;
  /** Default: half of the memory, as the kernel decides. */
  readonly sizeBytes?: number | bigint;
  /** Of its root directory, octal, such as `"1777"`. */
  readonly mode: string;
  readonly flags: readonly MountFlag[];
  /** SELinux label of everything in it; "" or absent: none. */
  readonly label?: string;
}

/** Mounts a new tmpfs. Throws a Fault with the kernel's own words. */
export function mountTmpfs(plan: TmpfsPlan): void {
  if (!/^[0-7]{1,4}$/.test(plan.mode)) throw new Fault("invalid", `mounting a tmpfs: not an octal mode: ${plan.mode}`);
  const options: [string, string][] = [["mode", plan.mode]];
  if (plan.sizeBytes !== undefined) options.push(["size", String(plan.sizeBytes)]);
  if (plan.label !== undefined && plan.label !== "") options.push(["context", plan.label]);
  mountNew("tmpfs", { target: plan.target, attributes: attributesOf(plan.flags), options });
}

export interface NewMount {
  readonly target: string;
  readonly attributes: number;
  /** In the order given. A value of undefined makes it a flag. */
  readonly options: readonly (readonly [key: string, value: string | undefined])[];
}

/** Makes a file system of `type` and attaches it. Throws a Fault whose cause is the SystemCallError. */
export function mountNew(type: string, plan: NewMount): void {
  withDescriptor(
    step(`mounting ${type} on ${plan.target}`, () => fsopen(type)),
    (context) => {
      try {
        for (const [key, value] of plan.options) fsconfig(context, key, value);
        fscreate(context);
        withDescriptor(fsmount(context, plan.attributes), (mount) => attachMount(mount, plan.target));
      } catch (error) {
        throw mountFault(`mounting ${type} on ${plan.target}`, error, contextMessages(context));
      }
    },
  );
}

export interface BindOptions {
  /** With the mounts beneath `source`. */
  readonly recursive?: boolean;
  readonly readonly?: boolean;
  readonly flags?: readonly MountFlag[];
}

/**
 * Shows `source` (a symbolic link is followed) at `target` (one is not). With `recursive`, the attributes are set on all
 * mounts that come along, before any of them can be seen.
 */
export function bindMount(source: string, target: string, options: BindOptions = {}): void {
  const recursive = options.recursive ?? false;
  const attributes = attributesOf(options.flags ?? []) | (options.readonly ? mountAttributes.readonly : 0);
  step(`bind-mounting ${source} on ${target}`, () => {
    withDescriptor(cloneTree(source, { recursive }), (mount) => {
      if (attributes !== 0) setMountAttributes(mount, attributes, { recursive });
      attachMount(mount, target);
    });
  });
}

/**
 * Shows `source`, a directory, at `target` with other owners: what belongs to an id inside the user namespace pinned at
 * `userNamespace` belongs to the id that it has outside. Not what is mounted below it. Throws a Fault that says so where the kernel or
 * the file system cannot do that.
 */
export function bindMountMapped(source: string, target: string, userNamespace: string): void {
  try {
    const user = openSync(userNamespace, constants.O_RDONLY | constants.O_NONBLOCK);
    withDescriptor(user, () =>
      withDescriptor(cloneTree(source, { recursive: false }), (mount) => {
        mapMountOwners(mount, user);
        attachMount(mount, target);
      }),
    );
  } catch (error) {
    throw mountFault(`mounting ${source} on ${target} with the owners of ${userNamespace}`, error);
  }
}

/**
 * Unmounts the topmost mount at `target`, which is not followed if it is a symbolic link. False when nothing was mounted
 * there or it does not exist. A mount in use is a Fault("precondition"); with `detach` it leaves the tree at once and
 * ends when its last user does.
 */
export function unmount(target: string, options: { readonly detach?: boolean } = {}): boolean {
  try {
    checked(libc().umount2(cString(target), UMOUNT_NOFOLLOW | (options.detach ? MNT_DETACH : 0)), "umount2", target);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EINVAL" || errno === "ENOENT") return false;
    if (errno !== "EBUSY") throw mountFault(`unmounting ${target}`, error);
    const advice =
      "some process has a file or its working directory in it, or a mount lies beneath; detaching is possible";
    throw new Fault("precondition", `unmounting ${target}: busy: ${advice}`, { cause: error });
  }
}

/** Whether mounts and unmounts at `path`, which must be a mount point, pass to other mount namespaces and back. */
export function setPropagation(
  path: string,
  kind: "private" | "shared" | "slave" | "unbindable",
  options: { readonly recursive?: boolean } = {},
): void {
  const flags = propagationFlags[kind] | (options.recursive ? MS_REC : 0);
  step(`making mount ${path} ${kind}`, () =>
    checked(libc().mount(null, cString(path), null, flags, null), "mount", path),
  );
}

function attributesOf(flags: readonly MountFlag[]): number {
  return flags.reduce((sum, flag) => sum | mountAttributes[flag], 0);
}

function step<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw mountFault(what, error);
  }
}

const codes: Readonly<Record<string, FaultCode>> = {
  ENOENT: "not-found",
  EPERM: "denied",
  EACCES: "denied",
  ENOSPC: "exhausted",
  ENOSYS: "unimplemented",
  ENODEV: "unimplemented",
};

/** A Fault for what a mount call threw; `said` are the kernel's own words. */
export function mountFault(what: string, error: unknown, said = ""): Fault {
  if (error instanceof Fault) return error;
  const words = said === "" ? "" : `: ${said}`;
  const limit = errnoOf(error) === "ENOSPC" ? " (sysctl fs.mount-max may be reached)" : "";
  return new Fault(codes[errnoOf(error) ?? ""] ?? "failed", `${what}: ${reasonOf(error)}${limit}${words}`, {
    cause: error,
  });
}
