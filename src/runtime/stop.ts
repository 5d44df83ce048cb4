import { inStep, type Logger, type Next, reasonOf } from "../base/index.ts";
import { isSameProcess, readProcess } from "../host/index.ts";
import type { KnownProcess } from "./conmon/create.ts";
import type { RuntimeHandler } from "./handler.ts";
import { killInRuntime, resumeInRuntime, stateInRuntime } from "./oci/lifecycle.ts";

const pollMs = 50;
const firstRepeatMs = 20;
const longestRepeatMs = 120_000;
const blockedWarningMs = 60_000;

export interface StopTarget {
  readonly id: string;
  readonly handler: RuntimeHandler;
  readonly init: KnownProcess;
  /** Number of the signal that asks the process to end. */
  readonly stopSignal: number;
}

/**
 * The stopping of one container: the stop signal, patience until the earliest deadline that any caller gave, then SIGKILL
 * again and again until the process is gone. It goes on whatever becomes of the callers; each waits as long as it likes.
 */
export class StopLoop {
  readonly #target: StopTarget;
  readonly #log: Logger;
  #killAtMs: number;
  /** When the next SIGKILL is due, once there was one. */
  #nextKillMs = 0;
  #wake: () => void = () => {};
  /** Resolves when the process is gone. */
  readonly done: Promise<void>;

  constructor(target: StopTarget, timeoutMs: number, log: Logger) {
    this.#target = target;
    this.#log = log.with({ containerID: target.id });
    this.#killAtMs = performance.now() + timeoutMs;
    const { pid } = target.init;
    this.done = inStep("stopping the container's process", () => this.#run(), {
      waitsFor: { is: "process", pid, what: "the container's first process" },
      next: () => this.#next(),
    });
  }

  #next(): Next {
    if (performance.now() < this.#killAtMs) return { atMs: this.#killAtMs, what: "gets SIGKILL" };
    return { atMs: Math.max(this.#nextKillMs, performance.now()), what: "gets SIGKILL again" };
  }

  /** Another caller's patience: it counts only when it ends earlier. Where killing has begun, it is tried again at once. */
  shorten(timeoutMs: number): void {
    this.#killAtMs = Math.min(this.#killAtMs, performance.now() + timeoutMs);
    this.#nextKillMs = 0;
    this.#wake();
  }

  async #run(): Promise<void> {
    const { id, handler, stopSignal } = this.#target;
    if (!(await this.#isAlive())) return;
    await this.#quietly("resuming", () => this.#resumeIfPaused());
    await this.#quietly("sending the stop signal", () => killInRuntime(handler, id, stopSignal));
    while (performance.now() < this.#killAtMs) {
      if (!(await this.#isAlive())) return;
      await this.#pause(Math.min(pollMs, this.#killAtMs - performance.now()));
    }
    if (!(await this.#isAlive())) return;
    this.#log.warn("Stopping container with stop signal timed out. Killing...", { signal: stopSignal });
    await this.#killUntilGone();
  }

  async #killUntilGone(): Promise<void> {
    const { id, handler } = this.#target;
    let repeatMs = firstRepeatMs;
    let warnAtMs = performance.now() + blockedWarningMs;
    while (await this.#isAlive()) {
      await this.#quietly("killing", () => killInRuntime(handler, id, "KILL"));
      this.#nextKillMs = performance.now() + repeatMs;
      while (performance.now() < this.#nextKillMs) {
        if (!(await this.#isAlive())) return;
        await this.#pause(Math.min(pollMs, repeatMs));
      }
      repeatMs = Math.min(repeatMs * 2, longestRepeatMs);
      if (performance.now() >= warnAtMs) {
        warnAtMs += blockedWarningMs;
        await this.#warnBlocked();
      }
    }
  }

  async #resumeIfPaused(): Promise<void> {
    const { id, handler } = this.#target;
    const state = await stateInRuntime(handler, id);
    if (state?.status === "paused") await resumeInRuntime(handler, id);
  }

  async #warnBlocked(): Promise<void> {
    const found = await readProcess(this.#target.init.pid);
    const fields = { pid: this.#target.init.pid, state: found?.state };
    if (found?.state === "D")
      this.#log.error("container does not end: its process waits in the kernel (state D)", fields);
    else this.#log.warn("container does not end although it was killed", fields);
  }

  #isAlive(): Promise<boolean> {
    return isSameProcess(this.#target.init.pid, this.#target.init.startTime);
  }

  /** The loop ends when the process does, not when a runtime command fails; its words are logged. */
  async #quietly(what: string, step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#log.warn(`stopping container: ${what} failed`, { error: reasonOf(error) });
    }
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, ms));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
