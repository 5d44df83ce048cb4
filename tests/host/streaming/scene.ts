/** A daemon with one pod and containers in it, for clients that stream. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type Cri, openCri } from "../../support/daemon/cri.ts";
import { type ContainerFile, Crictl, eventually } from "../../support/daemon/crictl.ts";
import { type Daemon, type DaemonOptions, startDaemon } from "../../support/daemon/index.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { compareInventories, type Inventory, takeInventory } from "../../support/node/index.ts";

/** Of which the first process is a shell that waits: it takes in the children of commands that were killed. */
const idleCommand = "sleep 1000000";

/** What every test of a file uses; disposed of, nothing may be left of it. */
export class Scene implements AsyncDisposable {
  readonly daemon: Daemon;
  readonly crictl: Crictl;
  readonly cri: Cri;
  readonly pod: string;
  /** A container that does nothing: for commands to be executed in. */
  readonly container: string;
  readonly #podFile: string;
  readonly #containerPid: number;
  readonly #before: Inventory;

  private constructor(
    parts: Pick<Scene, "daemon" | "crictl" | "cri" | "pod" | "container">,
    own: { readonly podFile: string; readonly containerPid: number; readonly before: Inventory },
  ) {
    this.daemon = parts.daemon;
    this.crictl = parts.crictl;
    this.cri = parts.cri;
    this.pod = parts.pod;
    this.container = parts.container;
    this.#podFile = own.podFile;
    this.#containerPid = own.containerPid;
    this.#before = own.before;
  }

  static async start(options: DaemonOptions): Promise<Scene> {
    const before = await takeInventory();
    const daemon = await startDaemon(options);
    const crictl = await Crictl.open(daemon.socket);
    await crictl.do("pull", fixtureNames.busybox);
    const podFile = await crictl.podFile({ name: "streams" });
    const pod = await crictl.do("runp", podFile);
    const idle = { name: "idle", image: fixtureNames.busybox, command: ["sh", "-c", `${idleCommand} & wait`] };
    const container = await runContainer(crictl, pod, podFile, idle);
    const containerPid = (await crictl.json("inspect", container)).info.pid;
    const cri = openCri(daemon.socket);
    return new Scene({ daemon, crictl, cri, pod, container }, { podFile, containerPid, before });
  }

  /** Starts another container in the pod. */
  async run(container: Omit<ContainerFile, "image">): Promise<string> {
    return await runContainer(this.crictl, this.pod, this.#podFile, { image: fixtureNames.busybox, ...container });
  }

  /** The pod's network namespace as a file. */
  async netns(): Promise<string> {
    const { info } = await this.crictl.json("inspectp", this.pod);
    const text = JSON.stringify(info.runtimeSpec);
    const path = /"type":"network","path":"([^"]+)"|"path":"([^"]+)","type":"network"/.exec(text);
    return path?.[1] ?? path?.[2] ?? assert.fail(`no network namespace in ${text}`);
  }

  /** The command lines that run in the container, besides its own. */
  commands(): readonly string[] {
    return commandsBeside(this.#containerPid);
  }

  /** The processes in the container with such a command line. */
  pids(command: string): readonly number[] {
    return processesBeside(this.#containerPid).filter((pid) => commandOf(pid) === command);
  }

  /** What the daemon holds now. */
  holdings(): Holdings {
    return holdingsOf(this.daemon.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cri.close();
    try {
      await this.crictl.do("stop", "--timeout", "0", this.container);
      await this.crictl.do("rmp", "--force", this.pod);
      await this.crictl.do("rmi", "--all");
    } finally {
      await this.daemon[Symbol.asyncDispose]();
    }
    assert.deepEqual(compareInventories(this.#before, await takeInventory()), []);
  }
}

async function runContainer(crictl: Crictl, pod: string, podFile: string, container: ContainerFile): Promise<string> {
  const id = await crictl.do("create", pod, await crictl.containerFile(container), podFile);
  await crictl.do("start", id);
  return id;
}

/** What a process holds. */
export interface Holdings {
  /** All of them: a worker thread that is not needed for a while gives back the dozen that it has. */
  readonly descriptors: number;
  readonly sockets: number;
  readonly children: number;
  /** Resident bytes. */
  readonly memory: number;
  /** Of the process since it began; a tick of the kernel is 10 ms. */
  readonly cpuSeconds: number;
}

export function holdingsOf(pid: number): Holdings {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  const descriptors = readdirSync(`/proc/${pid}/fd`);
  const [user = 0, system = 0] = statOf(pid).slice(11, 13).map(Number);
  return {
    cpuSeconds: (user + system) / 100,
    descriptors: descriptors.length,
    sockets: descriptors.filter((fd) => linkOf(`/proc/${pid}/fd/${fd}`)?.startsWith("socket:")).length,
    children: children.split(" ").filter(Boolean).length,
    memory: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024,
  };
}

/** The fields of /proc/PID/stat from the third on. */
function statOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
}

/** Their command lines, without those of processes that have just ended. */
function commandsBeside(pid: number): readonly string[] {
  const commands = processesBeside(pid).map(commandOf);
  return commands.filter((command) => command !== "" && command !== idleCommand);
}

/** Those that share the PID namespace of a process. */
function processesBeside(pid: number): readonly number[] {
  const wanted = linkOf(`/proc/${pid}/ns/pid`);
  const pids = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  return pids.filter((other) => other !== pid && linkOf(`/proc/${other}/ns/pid`) === wanted);
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // it has just gone
  }
}

/** A command line; none for one that has just ended. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

export { eventually };
