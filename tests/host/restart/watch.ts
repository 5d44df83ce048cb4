/** What a test sees of pods and containers: through crictl, and behind the daemon's back. */
import { readFile } from "node:fs/promises";
import { type Crictl, eventually, type Inspection } from "../../support/daemon/crictl.ts";

/** What crictl tells of all pods and containers, one entry each, to be compared with another time. */
export async function snapshot(crictl: Crictl): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {
    pods: JSON.parse(await crictl.do("pods", "--output", "json")),
    containers: JSON.parse(await crictl.do("ps", "--all", "--output", "json")),
  };
  for (const id of await idsOf(crictl, "pods")) all[`pod ${id}`] = await crictl.json("inspectp", id);
  for (const id of await idsOf(crictl, "ps", "--all")) all[`container ${id}`] = await crictl.json("inspect", id);
  return all;
}

/** The ids that `crictl pods` or `crictl ps` prints. */
export async function idsOf(crictl: Crictl, ...args: readonly string[]): Promise<readonly string[]> {
  const text = await crictl.do(...args, "--quiet", "--no-trunc");
  return text === "" ? [] : text.split("\n");
}

export type ContainerStatus = Inspection["status"];

export async function statusOf(crictl: Crictl, container: string): Promise<ContainerStatus> {
  return (await crictl.json("inspect", container)).status;
}

/** The host's pid of a container's first process. */
export async function pidOf(crictl: Crictl, container: string): Promise<number> {
  return (await crictl.json("inspect", container)).info.pid;
}

export async function podState(crictl: Crictl, pod: string): Promise<string> {
  return (await crictl.json("inspectp", pod)).status.state;
}

/** The pid of the conmon that watches a container. */
export async function monitorPidOf(id: string): Promise<number> {
  return Number(await readFile(`/run/containers/storage/overlay-containers/${id}/userdata/conmon-pidfile`, "utf8"));
}

/** Field 22 of /proc/PID/stat: with the pid, it tells a process from any other; undefined when it is gone or a zombie. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return stat === "" || state === "Z" ? undefined : rest[18];
}

export async function untilGone(pid: number): Promise<void> {
  await eventually(`process ${pid} is gone`, async () => (await startTimeOf(pid)) === undefined);
}
