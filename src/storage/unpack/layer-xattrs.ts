import { errnoOf } from "../../base/index.ts";
import { lsetxattr } from "../../host/index.ts";
import type { TarEntry } from "./tar-entry.ts";

/**
 * Whether an image may set this attribute. `trusted.*` steers overlayfs itself (redirects, opaqueness) and is ours alone,
 * as `user.overlay.*` is for unprivileged mounts; SELinux labels are the host's to give.
 */
export function isLayerXattr(name: string): boolean {
  if (name === "security.selinux" || name.startsWith("user.overlay.")) return false;
  if (name === "system.posix_acl_access" || name === "system.posix_acl_default") return true;
  return name.startsWith("user.") || name.startsWith("security.");
}

/** Sets what may be set and returns how many were left out, because of the policy or because the file system has no such attributes. */
export function setLayerXattrs(path: string | Buffer, xattrs: TarEntry["xattrs"]): number {
  let skipped = 0;
  for (const [name, value] of xattrs) {
    if (!isLayerXattr(name) || !trySet(path, name, value)) skipped++;
  }
  return skipped;
}

function trySet(path: string | Buffer, name: string, value: Uint8Array): boolean {
  try {
    lsetxattr(path, name, value);
    return true;
  } catch (error) {
    // EPERM: `user.*` on anything but files and directories
    if (["ENOTSUP", "EOPNOTSUPP", "EPERM"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}
