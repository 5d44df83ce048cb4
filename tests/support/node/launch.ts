import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheRoot } from "../cache.ts";
import { fixtureImages } from "../fixtures/index.ts";
import { nodeBinary, projectRoot } from "../paths.ts";
import { run, runAttached } from "../programs.ts";
import { userland } from "../userland/index.ts";
import { createNodeCgroups, type NodeCgroups } from "./cgroups.ts";
import type { GuardOptions, GuardReport } from "./guard-options.ts";
import { guarded } from "./guarded.ts";
import { cgroupName, createStateFolder, type StateFolder } from "./state-folder.ts";

/** A host folder or file that the node sees; read-only unless `writable`. */
export interface Share {
  readonly source: string;
  /** Default: the same path. */
  readonly target?: string;
  readonly writable?: boolean;
}

export interface NodeOptions {
  readonly command: readonly string[];
  /** Added to the node's own small environment; nothing of this process's but `CI` is handed on. */
  readonly env?: Readonly<Record<string, string>>;
  /** The command is then asked to end, and killed a little later. Default: ten minutes. */
  readonly timeoutMs?: number;
  /** Part of the host name, to tell nodes apart. */
  readonly name?: string;
  /** Default: the project's folder. */
  readonly cwd?: string;
  readonly shares?: readonly Share[];
  /** Whether the loopback registry serves the fixture images. Default: yes. */
  readonly registry?: boolean;
  /** Whether things left over fail the node. Default: yes. */
  readonly leaksFail?: boolean;
  /** Use this process's own terminal and streams; `output` is then empty. */
  readonly attached?: boolean;
  readonly onOutput?: (text: string) => void;
}

export interface NodeResult {
  /** The command's own exit code, or 70 where that was 0 but something was left over. */
  readonly code: number;
  readonly output: string;
  readonly timedOut: boolean;
  /** What the command left behind in the node, one readable line each. */
  readonly leaks: readonly string[];
}

const defaultTimeoutMs = 600_000;
const graceMs = 40_000;
const initScript = fileURLToPath(new URL("init.sh", import.meta.url));
const reportFolder = "/run/node-report";

/**
 * Runs a command in a throw-away node: own mount, network, PID, IPC, UTS and cgroup namespaces, a Debian 13 userland, empty
 * state folders, this project at its own path (read-only) and the loopback registry. All of it is gone when this resolves,
 * whatever the command did. Needs root; rejects when the node cannot be made.
 */
export async function runInNode(options: NodeOptions): Promise<NodeResult> {
  if (process.getuid?.() !== 0) throw new Error("a throw-away node needs root");
  const lower = await userland();
  const fixtures = options.registry === false ? undefined : await fixtureImages();
  const state = await createStateFolder(options.name ?? "node");
  try {
    const cgroups = await createNodeCgroups(cgroupName(state.name));
    try {
      return await launch(options, { lower, fixtures, state, cgroups });
    } finally {
      const left = await cgroups.remove(10_000);
      if (left.length > 0) process.emitWarning(`cgroups of a node stay: ${left.join(" ")}`);
    }
  } finally {
    await state.remove();
  }
}

interface Parts {
  readonly lower: string;
  readonly fixtures: string | undefined;
  readonly state: StateFolder;
  readonly cgroups: NodeCgroups;
}

async function launch(options: NodeOptions, parts: Parts): Promise<NodeResult> {
  const guard: GuardOptions = {
    command: options.command,
    env: options.env ?? {},
    cwd: options.cwd ?? projectRoot,
    timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
    fixtures: parts.fixtures,
    leaksFail: options.leaksFail ?? true,
    reportFile: join(reportFolder, "report.json"),
  };
  const command = nodeCommand(parts, options.shares ?? [], guarded(guard));
  const timeoutMs = guard.timeoutMs + graceMs; // the guard ends the command by itself; this ends the guard
  if (options.attached) {
    await runAttached(command, { timeoutMs });
    return { output: "", ...(await readReport(parts.state, "")) };
  }
  const finished = await run(command, { timeoutMs, ...(options.onOutput && { onOutput: options.onOutput }) });
  const output = finished.stdout + finished.stderr;
  return { output, ...(await readReport(parts.state, output)) };
}

/** The command that becomes a member of the node's cgroups, enters new namespaces and starts `init.sh`. */
function nodeCommand({ lower, state, cgroups }: Parts, shares: readonly Share[], command: readonly string[]): string[] {
  const standard: Share[] = [
    { source: projectRoot },
    { source: cacheRoot() },
    ...(nodeBinary.startsWith(`${projectRoot}/`) ? [] : [{ source: nodeBinary }]),
    { source: state.report, target: reportFolder, writable: true },
  ];
  const env: Record<string, string> = {
    PATH: `${projectRoot}/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: "/root",
    LANG: "C.UTF-8",
    TERM: process.env.TERM ?? "dumb",
    CRIO_TS_CACHE: cacheRoot(),
    ...(process.env.CI && { CI: process.env.CI }),
    NODE_NAME: state.name,
    NODE_LOWER: lower,
    NODE_STATE: state.disk,
    NODE_TMPFS: state.tmpfs ? "1" : "",
    NODE_CGROUPS: cgroups.hierarchies.map(({ folder, type, options }) => `${folder} ${type} ${options}`).join("\n"),
    NODE_SHARES: [...standard, ...shares].map(shareLine).join("\n"),
  };
  // The node's process 1 joins the cgroups by itself: a parent left in them would forbid a v2 group to have children.
  const enter = `for door in ${cgroups.doors.join(" ")}; do echo 0 >"$door" || exit 1; done; exec unshare --cgroup "$@"`;
  const namespaces = [
    "--mount",
    "--net",
    "--pid",
    "--ipc",
    "--uts",
    "--fork",
    "--kill-child",
    "--propagation",
    "private",
  ];
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  // pdeathsig: the node ends with its launcher, however that ends
  const unshare = ["setpriv", "--pdeathsig", "KILL", "unshare", ...namespaces];
  return ["env", "-i", ...variables, ...unshare, "sh", "-c", enter, "sh", initScript, ...command];
}

function shareLine({ source, target = source, writable = false }: Share): string {
  if (/\s/.test(source + target)) throw new Error(`a shared path must not hold spaces: ${source}`);
  return `${writable ? "rw" : "ro"} ${source} ${target}`;
}

async function readReport(state: StateFolder, output: string): Promise<GuardReport> {
  const text = await readFile(join(state.report, "report.json"), "utf8").catch(() => undefined);
  if (text === undefined)
    throw new Error(`the node ended before its command did${output && `:\n${output.slice(-4000)}`}`);
  return JSON.parse(text) as GuardReport; // written by our own guard
}
