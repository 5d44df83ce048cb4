import { Fault } from "../base/index.ts";
import { readText, writeText } from "./files.ts";
import { type CgroupHost, directoryOf, hierarchyOf } from "./hierarchy.ts";
import type { CgroupPath } from "./path.ts";

/** One of the kernel's files of a cgroup. */
export interface Setting {
  readonly path: CgroupPath;
  /** Whose file it is: `memory`, `cpuset` …; `core` for `cgroup.*` and pressure of v2. */
  readonly controller: string;
  /** `memory.max`. Never from outside. */
  readonly file: string;
}

/** Its content; undefined when the cgroup, its file or the controller is not there. */
export async function readSetting(host: CgroupHost, { path, controller, file }: Setting): Promise<string | undefined> {
  const hierarchy = hierarchyOf(host, controller);
  return hierarchy === undefined ? undefined : readText(`${directoryOf(hierarchy, path)}/${file}`);
}

/** Writes it. Rejects with Fault("not-found") when it is not there, Fault("failed") when the kernel refuses the value. */
export async function writeSetting(
  host: CgroupHost,
  { path, controller, file }: Setting,
  value: string,
): Promise<void> {
  const hierarchy = hierarchyOf(host, controller);
  if (hierarchy === undefined) throw new Fault("not-found", `writing ${file} of ${path}: no controller ${controller}`);
  await writeText(`${directoryOf(hierarchy, path)}/${file}`, value);
}
