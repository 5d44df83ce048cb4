import { Worker } from "node:worker_threads";
import { Fault, Places } from "../../base/index.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";

/** A layer worker for the length of one job. */
export interface WorkerJob {
  /** What is in `transfer` is the worker's from then on. */
  send(message: ToWorker, transfer?: readonly ArrayBuffer[]): void;
  /** Who is told what the worker says, from now on. */
  onMessage: (message: FromWorker) => void;
  /** Rejects when the worker dies, with a Fault that says so. */
  readonly died: Promise<never>;
  /**
   * Waits for `work`, while which the worker has nothing to do. When that takes long, another job may begin in the meantime, and
   * this one goes on when it has a place again.
   */
  stepAside<T>(work: Promise<T>): Promise<T>;
}

const jobEnds: ReadonlySet<FromWorker["is"]> = new Set(["unpacked", "verified", "removed", "failed"]);

export interface WorkerPoolOptions {
  readonly file: URL;
  /** Workers with something to do at most; further jobs wait. */
  readonly size: number;
  /** How long a job may have nothing to do and keep its place. */
  readonly patienceMs: number;
  /** How long a worker without a job is kept. */
  readonly idleMs: number;
}

interface IdleWorker {
  readonly worker: Worker;
  /** Takes it from the idle ones. */
  readonly claim: () => void;
}

/**
 * Threads for layer jobs, started when needed. A worker that has not said that its job is over, well or badly, is
 * terminated with it: that is how a job is aborted, whatever it is doing.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #places: Places;
  readonly #idle: IdleWorker[] = [];
  readonly #busy = new Set<Worker>();
  #closed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#places = new Places(options.size);
  }

  /** Runs `job` with a worker of its own. Rejects with what `job` rejects with, or with the signal's reason while waiting. */
  async run<T>(job: (worker: WorkerJob) => Promise<T>, signal?: AbortSignal): Promise<T> {
    let leave = await this.#places.take(signal);
    const stepAside = async <W>(work: Promise<W>): Promise<W> => {
      let isAside = false;
      const patience = setTimeout(() => {
        isAside = true;
        leave();
      }, this.#options.patienceMs);
      try {
        const result = await work;
        if (isAside) leave = await this.#places.take(signal);
        return result;
      } finally {
        clearTimeout(patience);
      }
    };
    try {
      if (this.#closed) throw new Fault("unavailable", "the store is closed");
      return await this.#runIn(this.#takeIdle() ?? this.#start(), stepAside, job);
    } finally {
      leave();
    }
  }

  /** Ends all workers, also those with a job, which then fails. */
  async close(): Promise<void> {
    this.#closed = true;
    const idle = [...this.#idle];
    for (const { claim } of idle) claim();
    await Promise.all([...idle.map(({ worker }) => worker), ...this.#busy].map((worker) => worker.terminate()));
  }

  async #runIn<T>(
    worker: Worker,
    stepAside: WorkerJob["stepAside"],
    job: (worker: WorkerJob) => Promise<T>,
  ): Promise<T> {
    const { promise: died, reject: onDeath } = Promise.withResolvers<never>();
    died.catch(() => {}); // it may die when nobody is looking any more
    const onError = (error: Error) => onDeath(faultOfDeath(error));
    const onExit = () => onDeath(new Fault("failed", "the thread that unpacks layers ended unexpectedly"));
    const handle: WorkerJob = {
      send: (message, transfer = []) => worker.postMessage(message, transfer),
      onMessage: () => {},
      died,
      stepAside,
    };
    let isOver = false;
    const onMessage = (message: FromWorker) => {
      isOver ||= jobEnds.has(message.is);
      handle.onMessage(message);
    };
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    this.#busy.add(worker);
    worker.ref();
    try {
      return await job(handle);
    } finally {
      this.#busy.delete(worker);
      worker.off("message", onMessage);
      if (isOver) worker.off("error", onError).off("exit", onExit);
      if (isOver) this.#keep(worker);
      else await worker.terminate();
    }
  }

  #start(): Worker {
    return new Worker(this.#options.file, {
      resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8, stackSizeMb: 1 },
      stdin: false,
    });
  }

  #takeIdle(): Worker | undefined {
    const idle = this.#idle.at(-1);
    idle?.claim();
    return idle?.worker;
  }

  #keep(worker: Worker): void {
    if (this.#closed) {
      void worker.terminate();
      return;
    }
    const claim = () => {
      clearTimeout(timer);
      worker.off("error", claim).off("exit", claim);
      this.#idle.splice(this.#idle.indexOf(idle), 1);
    };
    const idle: IdleWorker = { worker, claim };
    const timer = setTimeout(() => {
      claim();
      void worker.terminate();
    }, this.#options.idleMs);
    timer.unref();
    worker.unref();
    worker.on("error", claim).on("exit", claim); // one that dies while idle must not be handed out
    this.#idle.push(idle);
  }
}

function faultOfDeath(error: Error): Fault {
  const memory = "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
  return new Fault(memory ? "exhausted" : "failed", `the thread that unpacks layers died: ${error.message}`, {
    cause: error,
  });
}
