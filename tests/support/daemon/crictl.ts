/** crictl against the daemon under test. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Finished, run } from "../programs.ts";

/** Where the launcher puts crictl in a node; the cache's own path otherwise. */
export function crictlPath(): string | undefined {
  const path = process.env.CRIO_TS_CRICTL;
  return path !== undefined && existsSync(path) ? path : undefined;
}

/** For `skip` of what crictl drives: the reason where there is no crictl, else false. */
export const noCrictl: string | false =
  crictlPath() === undefined && "needs crictl, which is built with Go: there is no Go toolchain (go)";

export interface PodFile {
  readonly name: string;
  readonly attempt?: number;
  readonly namespaces?: { readonly network?: number; readonly pid?: number; readonly ipc?: number };
  readonly logDirectory?: string;
  readonly more?: Readonly<Record<string, unknown>>;
}

export interface ContainerFile {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly logPath?: string;
  readonly resources?: Readonly<Record<string, unknown>>;
  /** Default: a PID namespace of its own. */
  readonly security?: Readonly<Record<string, unknown>>;
  readonly more?: Readonly<Record<string, unknown>>;
}

/** As much of `crictl inspect` and `inspectp` as tests look at; each has its own half of the fields. */
export interface Inspection {
  readonly status: {
    readonly id: string;
    readonly state: string;
    readonly reason: string;
    readonly message: string;
    readonly exitCode: number;
    readonly createdAt: string;
    readonly startedAt: string;
    readonly finishedAt: string;
    readonly logPath: string;
    readonly network: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] };
    readonly resources: { readonly linux: Readonly<Record<string, string>> };
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly info: { readonly pid: number; readonly runtimeSpec: Readonly<Record<string, unknown>> };
}

/** crictl with the files it wants, for one daemon. */
export class Crictl {
  readonly #path: string;
  readonly #socket: string;
  readonly #dir: string;
  #files = 0;

  private constructor(path: string, socket: string, dir: string) {
    this.#path = path;
    this.#socket = socket;
    this.#dir = dir;
  }

  static async open(socket: string): Promise<Crictl> {
    const path = crictlPath();
    assert.ok(path !== undefined, "no crictl: CRIO_TS_CRICTL does not name one");
    return new Crictl(path, socket, await mkdtemp("/run/crictl-"));
  }

  /** crictl and its options for this daemon, to be followed by what is wanted. */
  command(...args: readonly string[]): readonly string[] {
    const endpoint = `unix://${this.#socket}`;
    const endpoints = ["--runtime-endpoint", endpoint, "--image-endpoint", endpoint];
    return [this.#path, "--config", "/dev/null", ...endpoints, "--timeout", "60s", ...args];
  }

  /** Runs crictl to its end, whatever that is. */
  async try(...args: readonly string[]): Promise<Finished> {
    return await run(this.command(...args), { timeoutMs: 120_000 });
  }

  /** Runs crictl, which must succeed; resolves with what it printed. */
  async do(...args: readonly string[]): Promise<string> {
    const done = await this.try(...args);
    assert.equal(done.code, 0, `crictl ${args.join(" ")}: ${done.stderr}${done.stdout}`);
    return done.stdout.trim();
  }

  /** The JSON that `inspect` and `inspectp` print. */
  async json(...args: readonly string[]): Promise<Inspection> {
    return JSON.parse(await this.do(...args));
  }

  async podFile(pod: PodFile): Promise<string> {
    const { name, attempt = 0, namespaces = { pid: 1 }, logDirectory = `/var/log/pods/${name}` } = pod;
    return await this.#file({
      metadata: { name, namespace: "test", uid: `uid-${name}`, attempt },
      log_directory: logDirectory,
      linux: { security_context: { namespace_options: namespaces } },
      ...pod.more,
    });
  }

  async containerFile(container: ContainerFile): Promise<string> {
    const { name, image, command = [], args = [], logPath = `${name}.log`, resources } = container;
    const security = container.security ?? { namespace_options: { pid: 1 } };
    return await this.#file({
      metadata: { name },
      image: { image },
      command,
      args,
      log_path: logPath,
      linux: { security_context: security, ...(resources === undefined ? {} : { resources }) },
      ...container.more,
    });
  }

  async #file(content: object): Promise<string> {
    const path = join(this.#dir, `${this.#files++}.json`);
    await writeFile(path, JSON.stringify(content));
    return path;
  }
}

/** Waits until `holds` gives a value, at most `timeoutMs`. */
export async function eventually<T>(
  what: string,
  holds: () => Promise<T | undefined | false>,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await holds();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
    await sleep(50);
  }
}
