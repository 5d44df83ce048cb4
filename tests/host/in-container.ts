/** One container in one pod, for tests that look at what it became. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { leavesNothing } from "./bad-input/refusal.ts";
import {
  type ContainerConfig,
  goodContainer,
  hostNetworkPod,
  type PodConfig,
  type Scene,
  withContainer,
  withPod,
} from "./bad-input/scene.ts";

export interface Running {
  readonly id: string;
  readonly podId: string;
  readonly pod: PodConfig;
  /** Of its first process, in the node. */
  readonly pid: number;
}

export interface InContainer {
  readonly pod?: PodConfig;
  readonly container?: ContainerConfig;
}

/** Uses a container, after which everything in the node is as before. */
export async function inContainer(
  { cri }: Scene,
  { pod = hostNetworkPod("test"), container = {} }: InContainer,
  use: (running: Running) => Promise<void>,
): Promise<void> {
  const work = () =>
    withPod(cri, { config: pod }, async (podId) => {
      const request = { podSandboxId: podId, config: goodContainer("app", container), sandboxConfig: pod };
      await withContainer(cri, request, async (id) => {
        const { info } = await cri.runtime.containerStatus({ containerId: id, verbose: true });
        const { pid } = JSON.parse(info["info"] ?? "{}") as { readonly pid: number };
        await use({ id, podId, pod, pid });
      });
    });
  await leavesNothing(work, { ignore: ["images"] }); // the pause image comes with the first infra process
}

/** A file of a process' cgroup on this machine's cgroup version, without its last line break; undefined where the controller is not there. */
export async function cgroupFile(
  pid: number,
  names: { readonly v1: `${string}/${string}`; readonly v2: string },
): Promise<string | undefined> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, "utf8")).split("\n").map((line) => line.split(":"));
  const [controller = "", file = ""] = names.v1.split("/");
  const old = lines.find(([, controllers]) => controllers?.split(",").includes(controller));
  const v1Path = old === undefined ? undefined : join("/sys/fs/cgroup", controller, old[2] ?? "", file);
  const v2 = lines.find(([, controllers]) => controllers === "");
  const path = v1Path ?? join("/sys/fs/cgroup", v2?.[2] ?? "", names.v2);
  return await readFile(path, "utf8").then(
    (text) => text.trimEnd(),
    () => undefined,
  );
}
