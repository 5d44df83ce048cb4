import { spawn } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cacheRoot } from "../cache.ts";
import { projectRoot } from "../paths.ts";
import { killGroup, lastLines } from "../programs.ts";
import { guestImage } from "./image.ts";
import { guestKernel } from "./kernel.ts";
import { idlestProcessor } from "./processor.ts";

/** A host folder that the guest sees at the same path unless `target` says otherwise; read-only unless `writable`. */
export interface GuestShare {
  readonly source: string;
  readonly target?: string;
  /** What guest root writes, host root has written: for our own tests only. */
  readonly writable?: boolean;
}

export interface VmOptions {
  readonly command: readonly string[];
  /** Besides the project and the cache, which are always shown, read-only. */
  readonly shares?: readonly GuestShare[];
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the project's folder. */
  readonly cwd?: string;
  /** For boot and command together. Default: fifteen minutes. */
  readonly timeoutMs?: number;
  readonly memoryMb?: number;
  readonly onOutput?: (text: string) => void;
}

export interface VmResult {
  /** The command's exit code; 124 on timeout, 125 when the guest ended before the command did. */
  readonly code: number;
  readonly output: string;
  readonly timedOut: boolean;
  /** What the guest's kernel and systemd said. */
  readonly console: string;
}

const guestPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const keptCharacters = 4 << 20;

/**
 * Runs a command as root in a throw-away virtual machine: Debian 13, systemd as PID 1, pure cgroup v2, AppArmor, every
 * capability, no network but loopback. Boots in about four seconds; system calls are some ten times slower than on the
 * host, so measure nothing in it. All of it is gone when this resolves.
 */
export async function runInVm(options: VmOptions): Promise<VmResult> {
  const [kernel, disk] = [await guestKernel(), await guestImage()];
  const folder = await mkdtemp(join(tmpdir(), "crio-ts-vm-"));
  try {
    await writeOrders(join(folder, "orders"), options);
    return await boot({ kernel, disk, folder }, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes what `guest/vm-run` reads: the command as a script, and the shares. */
async function writeOrders(folder: string, options: VmOptions): Promise<void> {
  await mkdir(folder);
  const shares = [{ source: projectRoot }, { source: cacheRoot() }, ...(options.shares ?? [])];
  const lines = shares.map(
    ({ source, target = source, writable = false }: GuestShare) => `${writable ? "rw" : "ro"} ${source} ${target}\n`,
  );
  await writeFile(join(folder, "shares"), lines.join(""));
  const env: Record<string, string> = {
    HOME: "/root",
    USER: "root",
    LANG: "C.UTF-8",
    PATH: `${projectRoot}/node_modules/.bin:${guestPath}`,
    CRIO_TS_CACHE: cacheRoot(),
    ...(process.env.CI && { CI: process.env.CI }),
    ...options.env,
  };
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}\n`);
  const command = options.command.map(quoted).join(" ");
  await writeFile(
    join(folder, "command"),
    `${exports.join("")}cd ${quoted(options.cwd ?? projectRoot)} || exit 126\nexec ${command}\n`,
  );
}

interface Guest {
  readonly kernel: string;
  readonly disk: string;
  readonly folder: string;
}

async function boot({ kernel, disk, folder }: Guest, options: VmOptions): Promise<VmResult> {
  const [orders, consoleFile, outputFile] = ["orders", "console", "output"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const consoleOut = await open(consoleFile, "a");
  const output = await open(outputFile, "a");
  const machine = [
    kernel,
    `mem=${options.memoryMb ?? 3072}M`,
    "ncpus=1",
    "seccomp=on",
    `uml_dir=${folder}/`,
    "umid=vm",
  ];
  const devices = [
    `ubd0=${folder}/cow,${disk}`,
    "root=/dev/ubda",
    "con=null",
    "con0=null,fd:1",
    "ssl=null",
    "ssl0=null,fd:3",
  ];
  const linux = [
    "rw",
    "panic=-1",
    "dummy.numdummies=0",
    "ifb.numifbs=0",
    "quiet",
    "systemd.show_status=no",
    "loglevel=4",
  ];
  const ours = [`vmrun=${orders}`, "vmout=/dev/ttyS0"];
  // In a PID namespace of its own, so that one kill ends all of it. The guest's kernel and its process take turns: on one
  // processor its system calls are three times as fast as across two.
  const namespace = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"];
  const wrapper = ["--pdeathsig", "KILL", "taskset", "-c", String(await idlestProcessor()), ...namespace];
  const child = spawn("setpriv", [...wrapper, ...machine, ...devices, ...linux, ...ours], {
    stdio: ["ignore", consoleOut.fd, consoleOut.fd, output.fd],
    env: { PATH: process.env.PATH ?? guestPath, TMPDIR: "/dev/shm", HOME: folder },
    detached: true,
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", () => resolve());
  });
  const told = followFile(outputFile, options.onOutput ?? (() => {}), ended);
  const end = Date.now() + (options.timeoutMs ?? 900_000);
  let timedOut = false;
  while (child.exitCode === null && child.signalCode === null) {
    await Promise.race([ended, sleep(200)]);
    timedOut = Date.now() > end;
    const panicked = (await readFile(consoleFile, "utf8")).includes("Kernel panic - not syncing"); // it may hang then
    if (timedOut || panicked) killGroup(child, "SIGKILL");
    if (timedOut || panicked) break;
  }
  await ended;
  await Promise.all([consoleOut.close(), output.close()]);
  const code = await readFile(join(orders, "code"), "utf8").catch(() => undefined);
  return {
    code: timedOut ? 124 : code === undefined ? 125 : Number(code),
    output: (await told).slice(-keptCharacters),
    timedOut,
    console: lastLines(await readFile(consoleFile, "utf8"), 60),
  };
}

/** Hands on what is appended to a file until `ended`; resolves with all of it. */
async function followFile(path: string, onText: (text: string) => void, ended: Promise<void>): Promise<string> {
  let all = "";
  let over = false;
  const finish = ended.finally(() => {
    over = true;
  });
  for (let bytes = 0; ; ) {
    const last = over;
    if (existsSync(path)) {
      for await (const piece of createReadStream(path, { start: bytes })) {
        bytes += piece.length;
        const text = String(piece);
        all += text;
        onText(text);
      }
    }
    if (last) return all;
    await Promise.race([finish, sleep(100)]);
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
