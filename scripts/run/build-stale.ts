import { globSync, statSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../tests/support/paths.ts";

/** Whether a source is newer than what was built of it. */
export function isBuildStale(): boolean {
  const built = modified("bin/crio");
  const sources = globSync(["src/**/*.ts", "src/**/*.proto", "scripts/build.ts", "package-lock.json"], {
    cwd: projectRoot,
  });
  return sources.some((file) => !file.includes("/generated/") && modified(file) > built);
}

function modified(file: string): number {
  return statSync(join(projectRoot, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
