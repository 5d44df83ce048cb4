import { Flight, type Operations, reasonOf } from "../base/index.ts";
import { noteExit } from "../containers/index.ts";
import { isSameProcess, reapUnknownChildren } from "../host/index.ts";
import { noteInfraExit, type PodDeps } from "../pods/index.ts";
import { ExitWatch } from "../runtime/index.ts";

const probeMs = 10_000;
/** After a child's end: whoever waits for it takes its status first. */
const reapDelayMs = 100;

/**
 * Follows the ends of containers: exit files as they appear, and now and then a look at every process that should be alive,
 * for those whose monitor died and can leave no file.
 */
export class ExitMonitor {
  readonly #deps: PodDeps;
  readonly #operations: Operations;
  readonly #watch: ExitWatch;
  readonly #timer: NodeJS.Timeout;
  readonly #notes = new Flight<string, void>();
  #probing = false;
  #reapTimer: NodeJS.Timeout | undefined;
  readonly #onChild = () => {
    this.#reapTimer ??= setTimeout(() => void this.#reap(), reapDelayMs);
  };

  constructor(deps: PodDeps, operations: Operations) {
    this.#deps = deps;
    this.#operations = operations;
    this.#watch = new ExitWatch(deps.options.exitsDir);
    this.#timer = setInterval(() => void this.#probeUnlessBusy(), probeMs);
    this.#timer.unref();
    process.on("SIGCHLD", this.#onChild);
  }

  /** Ends when `stop` is called. */
  async run(): Promise<void> {
    for await (const { containerId } of this.#watch) this.#note(containerId);
  }

  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#reapTimer);
    process.removeListener("SIGCHLD", this.#onChild);
    this.#watch.stop();
  }

  /** In the background, and once per container at a time: one that is stuck holds up nobody else. */
  #note(id: string): void {
    const note = () => this.#noteNow(id);
    void this.#notes.join(id, () => this.#operations.run("noting the end of a container", { id, about: [id] }, note));
  }

  async #noteNow(id: string): Promise<void> {
    try {
      if (this.#deps.pods.get(id) === undefined) await noteExit(this.#deps, id);
      else await noteInfraExit(this.#deps, id);
    } catch (error) {
      this.#deps.log.error("noting the end of a container failed", { containerID: id, error: reasonOf(error) });
    }
  }

  /**
   * Monitors, and commands whose exec ended before them, become our children. Unreaped, they keep the PID namespace of their container
   * from ending.
   */
  async #reap(): Promise<void> {
    this.#reapTimer = undefined;
    try {
      await reapUnknownChildren();
    } catch (error) {
      this.#deps.log.error("reaping ended monitors failed", { error: reasonOf(error) });
    }
  }

  async #probeUnlessBusy(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    try {
      await this.#probe();
    } catch (error) {
      this.#deps.log.error("looking after the containers' processes failed", { error: reasonOf(error) });
    } finally {
      this.#probing = false;
    }
  }

  async #probe(): Promise<void> {
    await this.#reap();
    const infras = this.#deps.pods.list().map(({ infra }) => infra);
    for (const { record, init, state } of [...this.#deps.containers.list(), ...infras]) {
      if (init === undefined || (state.is !== "created" && state.is !== "running")) continue;
      if (!(await isSameProcess(init.pid, init.startTime))) this.#note(record.id);
    }
  }
}
