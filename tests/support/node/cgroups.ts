import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** One mounted cgroup hierarchy: `{ folder: "/sys/fs/cgroup/memory", type: "cgroup", options: "memory" }`. */
export interface Hierarchy {
  readonly folder: string;
  readonly type: "cgroup" | "cgroup2";
  /** Mount options that show the same hierarchy again; empty for cgroup2. */
  readonly options: string;
}

/** The hierarchies that this machine mounts below /sys/fs/cgroup. */
export async function mountedHierarchies(): Promise<readonly Hierarchy[]> {
  return hierarchiesFrom(await readFile("/proc/self/mountinfo", "utf8"));
}

/** Finds the hierarchies in the text of a mountinfo file. */
export function hierarchiesFrom(mountinfo: string): readonly Hierarchy[] {
  const found = new Map<string, Hierarchy>();
  for (const line of mountinfo.split("\n")) {
    const [place = "", filesystem = ""] = line.split(" - ");
    const folder = place.split(" ")[4] ?? "";
    const [type, , superOptions = ""] = filesystem.split(" ");
    if (!folder.startsWith("/sys/fs/cgroup")) continue;
    if (type === "cgroup2") found.set(folder, { folder, type, options: "" });
    if (type === "cgroup") found.set(folder, { folder, type, options: v1Options(superOptions) });
  }
  return [...found.values()].toSorted((a, b) => a.folder.localeCompare(b.folder));
}

/** `rw,memory` → `memory`; `rw,xattr,name=systemd` → `none,name=systemd`. */
function v1Options(superOptions: string): string {
  const ignored = new Set(["rw", "ro", "xattr", "clone_children", "noprefix"]);
  const kept = superOptions.split(",").filter((option) => !ignored.has(option) && !option.startsWith("release_agent="));
  return kept.some((option) => option.startsWith("name=")) ? ["none", ...kept].join(",") : kept.join(",");
}

/** A node's cgroup: one of the same name in every hierarchy. */
export interface NodeCgroups {
  readonly hierarchies: readonly Hierarchy[];
  /** Files that a process writes its id into to become a member. */
  readonly doors: readonly string[];
  /** Removes them with all that was made below; what does not go within the time is returned. */
  remove(timeoutMs: number): Promise<readonly string[]>;
}

/** Makes a cgroup `name` in every hierarchy that is mounted. */
export async function createNodeCgroups(name: string): Promise<NodeCgroups> {
  const hierarchies = await mountedHierarchies();
  if (hierarchies.length === 0)
    throw new Error("no cgroup hierarchy is mounted below /sys/fs/cgroup: a node needs cgroup v1 or v2");
  const folders = hierarchies.map((hierarchy) => join(hierarchy.folder, name));
  try {
    for (const folder of folders) await createCgroup(folder);
  } catch (error) {
    await removeCgroups(folders, 0);
    throw new Error(`cannot make cgroups for a node: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  return {
    hierarchies,
    doors: folders.map((folder) => join(folder, "cgroup.procs")),
    remove: (timeoutMs) => removeCgroups(folders, timeoutMs),
  };
}

/** Removes the cgroups of nodes whose launcher is gone; their processes ended with it. */
export async function removeCgroupsNamed(name: string): Promise<void> {
  const hierarchies = await mountedHierarchies();
  await removeCgroups(
    hierarchies.map((hierarchy) => join(hierarchy.folder, name)),
    0,
  );
}

async function createCgroup(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  // a new v1 cpuset refuses processes until it has processors and memory nodes
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    if (!existsSync(join(folder, "cgroup.clone_children"))) break;
    if (existsSync(join(folder, file))) await writeFile(join(folder, file), await readFile(join(folder, "..", file)));
  }
  if (existsSync(join(folder, "cpuset.cpus")) && existsSync(join(folder, "cgroup.clone_children"))) {
    await writeFile(join(folder, "cgroup.clone_children"), "1");
  }
}

async function removeCgroups(folders: readonly string[], timeoutMs: number): Promise<readonly string[]> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    for (const folder of folders) await removeTree(folder);
    const left = folders.filter((folder) => existsSync(folder));
    if (left.length === 0 || Date.now() >= end) return left;
    await sleep(50); // the kernel lets go of a cgroup a moment after its last process
  }
}

async function removeTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  await rmdir(folder).catch(() => {});
}
