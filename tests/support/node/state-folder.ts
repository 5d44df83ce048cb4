import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, statfs } from "node:fs/promises";
import { basename, join } from "node:path";
import { removeCgroupsNamed } from "./cgroups.ts";

/** A node's own folder on the host. */
export interface StateFolder {
  /** Unique among nodes; also the node's host name and the name of its cgroups. */
  readonly name: string;
  /** Holds the overlay's upper layer, stores and logs. */
  readonly disk: string;
  /** Whether `disk` must be a tmpfs: the file system below cannot be an overlay's upper layer. */
  readonly tmpfs: boolean;
  /** Seen by both sides: the guard's report. */
  readonly report: string;
  remove(): Promise<void>;
}

const base = "/var/tmp/crio-ts-nodes";
const overlayMagic = 0x794c7630;

/** Makes the folder of a node, and removes those of nodes whose launcher died. */
export async function createStateFolder(label: string): Promise<StateFolder> {
  await mkdir(base, { recursive: true });
  await sweep();
  const path = await mkdtemp(join(base, `${label.replace(/[^a-zA-Z0-9]+/g, "-").slice(0, 30)}-${process.pid}-`));
  const folder = { name: basename(path), disk: join(path, "disk"), report: join(path, "report") };
  await mkdir(folder.disk);
  await mkdir(folder.report);
  const tmpfs = (await statfs(path)).type === overlayMagic;
  return { ...folder, tmpfs, remove: () => rm(path, { recursive: true, force: true }) };
}

/** The name of a node's cgroup in every hierarchy. */
export function cgroupName(node: string): string {
  return `crio-ts-${node}`;
}

async function sweep(): Promise<void> {
  for (const entry of await readdir(base)) {
    const launcher = /-(\d+)-[^-]+$/.exec(entry)?.[1];
    if (launcher === undefined || existsSync(`/proc/${launcher}`)) continue;
    await removeCgroupsNamed(cgroupName(entry));
    await rm(join(base, entry), { recursive: true, force: true });
  }
}
