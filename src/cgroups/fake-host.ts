import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { CgroupHost, Hierarchy } from "./hierarchy.ts";
import { rootCgroup } from "./path.ts";

/** For tests: hierarchies made of plain files, by `hierarchy/cgroup/file`: `unified/pod1/memory.max`, `memory/pod1/…`. */
export async function fakeHost(
  version: 1 | 2,
  files: Readonly<Record<string, string>> = {},
): Promise<{ readonly host: CgroupHost; readonly directory: string } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), "cgroups-"));
  const controllers = ["cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "freezer", "hugetlb"];
  const at = (name: string) => ({ mountPoint: join(directory, name), mountRoot: "/", own: rootCgroup });
  const hierarchies: readonly Hierarchy[] =
    version === 2
      ? [{ kind: "unified", controllers, ...at("unified") }]
      : controllers.map((name) => ({ kind: "v1", controllers: [name], ...at(name) }));
  for (const { mountPoint } of hierarchies) await mkdir(mountPoint);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  return {
    directory,
    host: { version, hierarchies, controllers: new Set(controllers), swapAccounting: true, hugePageSizes: ["2MB"] },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}
