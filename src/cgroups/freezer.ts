import type { CgroupHost } from "./hierarchy.ts";
import type { CgroupPath } from "./path.ts";
import { readSetting } from "./settings.ts";

/** `freezing`: asked for, but not every process has stopped yet. */
export type FreezerState = "thawed" | "freezing" | "frozen";

/** Whether a cgroup is frozen, by itself or from above; undefined when it or the controller is not there. */
export async function readFreezer(host: CgroupHost, path: CgroupPath): Promise<FreezerState | undefined> {
  if (host.version === 1) {
    return freezerFromV1(await readSetting(host, { path, controller: "freezer", file: "freezer.state" }));
  }
  const read = (file: string) => readSetting(host, { path, controller: "core", file });
  const [events, freeze] = await Promise.all([read("cgroup.events"), read("cgroup.freeze")]);
  return freezerFromV2({ events, freeze });
}

/** From `freezer.state` of v1. */
export function freezerFromV1(state: string | undefined): FreezerState | undefined {
  switch (state?.trim()) {
    case "THAWED":
      return "thawed";
    case "FREEZING":
      return "freezing";
    case "FROZEN":
      return "frozen";
    default:
      return undefined;
  }
}

/** From `cgroup.events` and `cgroup.freeze` of v2. */
export function freezerFromV2(texts: {
  readonly events: string | undefined;
  readonly freeze: string | undefined;
}): FreezerState | undefined {
  if (texts.events === undefined) return undefined;
  if (/^frozen 1$/m.test(texts.events)) return "frozen";
  return texts.freeze?.trim() === "1" ? "freezing" : "thawed";
}
