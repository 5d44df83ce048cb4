/** Starts the built daemon inside a throw-away node, and crictl against it. */
import { spawn } from "node:child_process";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { projectRoot } from "../paths.ts";

export type RuntimeName = "crun" | "runc";
export type CgroupManager = "systemd" | "cgroupfs";

export interface DaemonOptions {
  readonly runtime?: RuntimeName;
  /** Default: what `CRIO_TS_CGROUP_MANAGER` says, else cgroupfs. */
  readonly cgroupManager?: CgroupManager;
  /** More lines of crio.conf. */
  readonly config?: string;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** CNI configuration; default: a bridge with host-local addresses. */
  readonly cni?: object;
  /** Where its files are; a second daemon takes the first one's to go on from there. */
  readonly dir?: string;
  /** More directories with CNI plugins, searched first. */
  readonly pluginDirs?: readonly string[];
}

export interface Daemon extends AsyncDisposable {
  readonly dir: string;
  readonly socket: string;
  readonly pid: number;
  /** What it has logged so far. */
  log(): Promise<string>;
  /** SIGTERM, or another signal, and wait for the end. Resolves with the exit code, or the signal's name. */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

const startTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;

/** The network of the tests: addresses that no other network of the node has. */
export const bridgeNetwork = {
  cniVersion: "1.0.0",
  name: "test-net",
  plugins: [
    {
      type: "bridge",
      bridge: "cni-test0",
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: "host-local",
        ranges: [[{ subnet: "10.88.77.0/24" }], [{ subnet: "fd00:88:77::/64" }]],
        routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
      },
    },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
};

/** Starts `bin/crio` and resolves when it serves CRI. Rejects with its log when it does not. */
export async function startDaemon(options: DaemonOptions = {}): Promise<Daemon> {
  const dir = options.dir ?? (await mkdtemp("/run/crio-test-"));
  const socket = "/var/run/crio/crio.sock";
  await writeFiles(dir, options);
  const logPath = join(dir, "crio.log");
  const child = spawn(
    join(projectRoot, "bin/crio"),
    ["--config", join(dir, "crio.conf"), "--config-dir", "", ...(options.flags ?? [])],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...options.env } },
  );
  const log = createWriteStream(logPath, { flags: "a" });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const ended = new Promise<number | string>((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? signal ?? -1));
  });
  const pid = child.pid ?? -1;
  const readLog = () => readFile(logPath, "utf8").catch(() => "");
  const daemon: Daemon = {
    dir,
    socket,
    pid,
    log: readLog,
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      const patience = sleep(stopTimeoutMs, undefined, { ref: false }).then(() => {
        child.kill("SIGKILL");
        throw new Error(`crio did not end within ${stopTimeoutMs / 1000} s of ${signal}:\n`);
      });
      const result = await Promise.race([ended, patience]);
      log.end();
      return result;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await daemon.stop();
    },
  };
  try {
    await untilServing(socket, ended);
    return daemon;
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`crio did not start: ${error}\n${await readLog()}`);
  }
}

async function writeFiles(dir: string, options: DaemonOptions): Promise<void> {
  const {
    runtime = "crun",
    cgroupManager = defaultManager(),
    config = "",
    cni = bridgeNetwork,
    pluginDirs = [],
  } = options;
  await mkdir(join(dir, "net.d"), { recursive: true });
  await writeFile(join(dir, "net.d/10-test.conflist"), JSON.stringify(cni));
  const monitorCgroup = cgroupManager === "cgroupfs" ? "pod" : "system.slice";
  const dirs = [...pluginDirs, "/opt/cni/bin", "/usr/lib/cni"];
  const handler = (name: RuntimeName) =>
    existsSync(`/usr/bin/${name}`) || existsSync(`/usr/sbin/${name}`)
      ? `[crio.runtime.runtimes.${name}]\nruntime_root = "/run/${name}"\nmonitor_cgroup = "${monitorCgroup}"\n`
      : "";
  await writeFile(
    join(dir, "crio.conf"),
    `[crio.runtime]
log_level = "debug"
cgroup_manager = "${cgroupManager}"
default_runtime = "${runtime}"
${handler("crun")}${handler("runc")}
[crio.network]
network_dir = "${dir}/net.d"
plugin_dirs = ${JSON.stringify(dirs)}
${config}`,
  );
}

/** The cgroup manager that this run of the tests is with. */
export function defaultManager(): CgroupManager {
  return process.env.CRIO_TS_CGROUP_MANAGER === "systemd" ? "systemd" : "cgroupfs";
}

async function untilServing(socket: string, ended: Promise<number | string>): Promise<void> {
  let end: number | string | undefined;
  void ended.then((how) => {
    end = how;
  });
  const deadline = Date.now() + startTimeoutMs;
  while (Date.now() < deadline) {
    if (end !== undefined) throw new Error(`it ended with ${end}`);
    if (await answers(socket)) return;
    await sleep(20);
  }
  throw new Error(`nothing answers on ${socket}`);
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}
