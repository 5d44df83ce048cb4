import { mkdir } from "node:fs/promises";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import { readText, writeText } from "./files.ts";
import { type CgroupHost, directoryOf, type Hierarchy } from "./hierarchy.ts";
import { type CgroupPath, lineageOf } from "./path.ts";

/**
 * Makes a cgroup, and what is missing above it, in every hierarchy. On v1 its cpuset is usable afterwards; on v2
 * `controllers` are enabled for it as far as the kernel lets them. What exists stays as it is.
 */
export async function makeCgroup(
  host: CgroupHost,
  path: CgroupPath,
  controllers: readonly string[] = [],
): Promise<void> {
  const enabled = host.version === 2 ? controllers : [];
  await Promise.all(host.hierarchies.map((hierarchy) => makeIn(hierarchy, path, enabled)));
}

async function makeIn(hierarchy: Hierarchy, path: CgroupPath, controllers: readonly string[]): Promise<void> {
  const [root, ...below] = lineageOf(path).map((one) => directoryOf(hierarchy, one));
  let parent = root ?? hierarchy.mountPoint;
  for (const directory of below) {
    if (controllers.length > 0) await enableControllers(parent, controllers);
    await makeDirectory(directory);
    if (isCpuset(hierarchy)) await fillCpuset(directory, parent);
    parent = directory;
  }
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o755 });
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return;
    throw new Fault("failed", `making cgroup ${directory}: ${reasonOf(error)}`, { cause: error });
  }
}

function isCpuset({ kind, controllers }: Hierarchy): boolean {
  return kind === "v1" && controllers.includes("cpuset");
}

/** A new cpuset cgroup of v1 has neither CPUs nor memory nodes, and takes no process until it has. */
async function fillCpuset(directory: string, parent: string): Promise<void> {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const own = (await readText(`${directory}/${file}`)) ?? "";
    if (own.trim() !== "") continue;
    const inherited = ((await readText(`${parent}/${file}`)) ?? "").trim();
    if (inherited !== "") await writeText(`${directory}/${file}`, inherited);
  }
}

/** Lets the children of a v2 cgroup have controllers. */
async function enableControllers(directory: string, wanted: readonly string[]): Promise<void> {
  const available = wordsOf(await readText(`${directory}/cgroup.controllers`));
  const enabled = wordsOf(await readText(`${directory}/cgroup.subtree_control`));
  for (const controller of wanted) {
    if (!available.includes(controller) || enabled.includes(controller)) continue;
    // The kernel refuses it where processes are (EBUSY) or are threads (EOPNOTSUPP): the limit is then refused too, and says so.
    await writeText(`${directory}/cgroup.subtree_control`, `+${controller}`).catch(() => {});
  }
}

function wordsOf(text: string | undefined): readonly string[] {
  return (text ?? "").split(/\s+/).filter((word) => word !== "");
}
