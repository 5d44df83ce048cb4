import { stat } from "node:fs/promises";
import { Socket } from "node:net";
import { deadline, Fault, reasonOf } from "../base/index.ts";
import type { InterfaceCounters } from "./interface-counters.ts";
import { removePin } from "./namespace-pins.ts";
import { checkNamespacePlan, type NamespacePins, type NamespacePlan, pinnedKinds } from "./namespace-plan.ts";
import type { NamespaceReply, NamespaceRequest } from "./namespace-worker.ts";
import { SerialWorker } from "./serial-worker.ts";
import { close } from "./syscalls.ts";
import { workerFile } from "./worker-file.ts";

// Making a network namespace takes a lock that tearing others down holds for long on a busy machine.
const defaultTimeoutMs = 30_000;
const stopTimeoutMs = 5_000;

export interface NamespaceCallOptions {
  /** Default 30 000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Makes, pins and looks into namespaces, in a worker thread: a thread can leave its namespaces and come back, which costs
 * a tenth of starting a program for it. One request at a time, each well under a millisecond. When the thread cannot
 * come back, it ends, and another one takes over.
 */
export class NamespaceWorker {
  readonly #thread = new SerialWorker<NamespaceRequest, NamespaceReply>(
    workerFile(import.meta.url, "namespace-worker"),
    {
      name: "the namespace worker",
      whenAbandoned: "finish", // in the middle of it there is nothing safe to do but to go on
      resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 },
    },
  );

  private constructor() {}

  /** Resolves when the thread is up. */
  static async start(): Promise<NamespaceWorker> {
    // The threads of Node's pool are made at the first need of one, with the namespaces of whoever needed it. That must
    // not be our worker while it is elsewhere.
    await stat("/");
    const worker = new NamespaceWorker();
    await worker.#thread.call({ op: "hello" }, { what: "starting", timeoutMs: defaultTimeoutMs });
    return worker;
  }

  /**
   * Makes the namespaces of `plan.pins`, sets hostname and sysctls, brings `lo` up, and pins each at its path, whose
   * directory is made if need be. On failure nothing of it remains; when the caller leaves early, what is made after
   * that is removed again.
   *
   * Rejects with Fault("invalid") for a plan that would touch the host or a sysctl the kernel does not take,
   * Fault("exists") when there is a file at a path, Fault("exhausted") at a limit of the kernel, Fault("deadline") …
   */
  async create(plan: NamespacePlan, options: NamespaceCallOptions = {}): Promise<void> {
    checkNamespacePlan(plan);
    await this.#pin({ op: "create", plan }, plan.pins, "making namespaces", options);
  }

  /** Pins the host's own namespaces, for pods that share them. */
  async pinHost(plan: { readonly pins: NamespacePins }, options: NamespaceCallOptions = {}): Promise<void> {
    await this.#pin({ op: "pin-host", pins: plan.pins }, plan.pins, "pinning the host's namespaces", options);
  }

  /** The interfaces of the network namespace pinned at `path` with their counters, in the order of their indexes. */
  async inNetns(
    path: string,
    what: "interfaces",
    options: NamespaceCallOptions = {},
  ): Promise<readonly InterfaceCounters[]> {
    const reply = await this.#thread.call({ op: what, path }, { what: `looking into ${path}`, ...timed(options) });
    return reply.op === "interfaces" ? reply.interfaces : [];
  }

  /**
   * Connects to a port of `localhost` as a process in the network namespace pinned at `path` would, over IPv4 and, when nobody answers
   * there, IPv6. Rejects with Fault("unavailable") when nobody does.
   */
  async connectLocalhost(path: string, port: number, options: NamespaceCallOptions = {}): Promise<Socket> {
    let failure: unknown;
    for (const [family, host] of [
      [4, "127.0.0.1"],
      [6, "::1"],
    ] as const) {
      try {
        return await this.#connect({ path, family, host, port }, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        failure ??= error;
      }
    }
    throw new Fault("unavailable", `connecting to port ${port} in ${path}: ${reasonOf(failure)}`, { cause: failure });
  }

  async #connect(
    to: { readonly path: string; readonly family: 4 | 6; readonly host: string; readonly port: number },
    options: NamespaceCallOptions,
  ): Promise<Socket> {
    const request = { op: "tcp-socket", path: to.path, family: to.family } as const;
    const onLate = (reply: NamespaceReply) => {
      if (reply.op === "socket") close(reply.fd);
    };
    const reply = await this.#thread.call(request, { what: `entering ${to.path}`, onLate, ...timed(options) });
    if (reply.op !== "socket") throw new Fault("failed", "the namespace worker gave no socket");
    const socket = new Socket({ fd: reply.fd, readable: true, writable: true, allowHalfOpen: true });
    using patience = deadline(options.timeoutMs ?? defaultTimeoutMs, `connecting to port ${to.port}`, options.signal);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    patience.addEventListener("abort", () => reject(patience.reason), { once: true });
    socket.connect({ host: to.host, port: to.port }, resolve);
    try {
      await promise;
      socket.removeListener("error", reject);
      return socket;
    } catch (error) {
      socket.on("error", () => {});
      socket.destroy();
      throw error;
    }
  }

  /** Ends the thread, after what is under way and waits if that takes no longer than five seconds. */
  async stop(): Promise<void> {
    await this.#thread.call({ op: "hello" }, { what: "stopping", timeoutMs: stopTimeoutMs }).catch(() => {});
    await this.#thread.stop();
  }

  async #pin(
    request: NamespaceRequest,
    pins: NamespacePins,
    what: string,
    options: NamespaceCallOptions,
  ): Promise<void> {
    const onLate = () => {
      for (const kind of pinnedKinds(pins)) removeQuietly(pins[kind]);
    };
    await this.#thread.call(request, { what, onLate, ...timed(options) });
  }
}

/** Takes a pin away: unmounts and unlinks. Idempotent: fine when there is nothing. */
export async function unpinNamespace(path: string): Promise<void> {
  removePin(path);
}

function timed(options: NamespaceCallOptions) {
  return { timeoutMs: options.timeoutMs ?? defaultTimeoutMs, signal: options.signal };
}

/** There is nobody left to tell. The release of the pod's record finds it again. */
function removeQuietly(path: string | undefined): void {
  try {
    if (path !== undefined) removePin(path);
  } catch {}
}
