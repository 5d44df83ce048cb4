import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault } from "../base/index.ts";
import type { DeviceNode, RequestedDevice } from "../spec/index.ts";

/** What of /dev is not a device of the host but the container's own business. */
const notDevices = new Set(["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"]);
const maxDepth = 8;

/** What is at a host path, its symbolic links followed. Rejects when there is nothing. */
export async function findDevice(hostPath: string): Promise<RequestedDevice["found"]> {
  let path: string;
  try {
    path = await realpath(hostPath);
  } catch (cause) {
    throw new Fault("not-found", `device ${hostPath} does not exist on the host`, { cause });
  }
  if ((await stat(path)).isDirectory()) return { is: "directory", path, nodes: await devicesBelow(path) };
  const node = await nodeAt(path);
  return node === undefined ? { is: "other" } : { is: "node", node };
}

/** The device node at a host path. Rejects when there is none. */
export async function deviceNode(hostPath: string): Promise<DeviceNode> {
  const found = await findDevice(hostPath);
  if (found.is === "node") return found.node;
  throw new Fault("invalid", `${hostPath} is not a device`);
}

/** Every device node below a directory, such as /dev for a privileged container. */
export async function devicesBelow(dir: string, depth = 0): Promise<readonly DeviceNode[]> {
  if (depth > maxDepth) return [];
  const found: DeviceNode[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (notDevices.has(entry.name)) continue;
    const path = join(dir, entry.name);
    if (entry.isDirectory()) found.push(...(await devicesBelow(path, depth + 1)));
    // What the directory says of a device that is bound over a file, as nested containers have them, is "a file".
    else if (!entry.isSymbolicLink()) {
      const node = await nodeAt(path);
      if (node !== undefined) found.push(node);
    }
  }
  return found;
}

async function nodeAt(path: string): Promise<DeviceNode | undefined> {
  try {
    const info = await stat(path, { bigint: true });
    const type = info.isBlockDevice() ? "b" : info.isCharacterDevice() ? "c" : undefined;
    // 0:0 is a whiteout, not a device.
    if (type === undefined || info.rdev === 0n) return undefined;
    return {
      path,
      type,
      ...numbersOf(info.rdev),
      fileMode: Number(info.mode & 0o7777n),
      uid: Number(info.uid),
      gid: Number(info.gid),
    };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined; // unplugged in the meantime
    throw error;
  }
}

/** Linux's encoding of a device number (makedev(3)): major and minor, each in two pieces. */
function numbersOf(rdev: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n)),
  };
}
