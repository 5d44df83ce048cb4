import { Fault, type Logger, type Operations } from "../base/index.ts";
import { configToml } from "../config/index.ts";
import { pauseContainer, unpauseContainer } from "../containers/index.ts";
import { type DaemonInfo, type IdRange, type InspectDeps, whyStuck } from "../observe/index.ts";
import type { PodDeps } from "../pods/index.ts";
import type { Parts } from "./parts.ts";

/** What the HTTP endpoints of the CRI socket show and do. */
export function composeInspection({ pods, live }: Parts, operations: Operations, log: Logger): InspectDeps {
  return {
    state: pods,
    operations,
    info: () => infoOf(live.current.config),
    config: () => configToml(live.current.config),
    pause: (id) => operations.run("pause", { id, about: [id] }, () => pauseContainer(pods, container(pods, id))),
    unpause: (id) => operations.run("unpause", { id, about: [id] }, () => unpauseContainer(pods, container(pods, id))),
    why: (id) => whyStuck({ operations, state: pods }, id),
    profiling: live.current.config.invocation.enableProfileUnixSocket,
    log,
  };
}

/** By its full id alone. */
function container({ containers }: PodDeps, id: string) {
  const found = containers.get(id);
  if (found !== undefined) return found;
  throw new Fault("not-found", `can't find the container with id ${id.slice(0, 80)}`);
}

type Config = Parts["live"]["current"]["config"];

function infoOf({ crio, runtime }: Config): DaemonInfo {
  return {
    storage_driver: crio.storageDriver || "overlay",
    storage_image: crio.imagestore,
    storage_root: crio.root,
    cgroup_driver: runtime.cgroupManager,
    default_id_mappings: { uids: rangesOf(runtime.uidMappings), gids: rangesOf(runtime.gidMappings) },
  };
}

const everyId: IdRange = { container_id: 0n, host_id: 0n, size: 2n ** 63n - 1n };

/** `container:host:size,…`; without any, all ids stand for themselves. */
function rangesOf(mappings: string): readonly IdRange[] {
  const ranges = mappings.split(",").flatMap((text) => {
    const [, containerId, hostId, size] = /^(\d+):(\d+):(\d+)$/.exec(text.trim()) ?? [];
    if (containerId === undefined || hostId === undefined || size === undefined) return [];
    return [{ container_id: BigInt(containerId), host_id: BigInt(hostId), size: BigInt(size) }];
  });
  return ranges.length === 0 ? [everyId] : ranges;
}
