import { type ResourceLimits, Worker } from "node:worker_threads";
import { codeOf, Fault, type FaultCode, reasonOf } from "../base/index.ts";

/** What the thread posts: once when it is ready, then one answer to each request. */
export type WorkerAnswer<Reply> =
  | { readonly is: "ready" }
  | { readonly is: "done"; readonly reply: Reply }
  | { readonly is: "failed"; readonly code: FaultCode; readonly message: string };

export interface SerialWorkerOptions {
  /** For error messages: `"the namespace worker"`. */
  readonly name: string;
  readonly resourceLimits?: ResourceLimits;
  /** What to do with the request at hand when its caller leaves: let the thread finish, or end the thread. */
  readonly whenAbandoned: "finish" | "terminate";
  /** Ends the thread after this time without requests; it starts again with the next one. */
  readonly idleMs?: number;
}

export interface CallOptions<Reply> {
  /** For error messages: `"measuring /var/lib/…"`. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Told when the request was done after its caller had left. */
  readonly onLate?: (reply: Reply) => void;
}

interface Job<Request, Reply> {
  readonly request: Request;
  readonly options: CallOptions<Reply>;
  readonly answer: PromiseWithResolvers<Reply>;
  readonly timer: NodeJS.Timeout;
  readonly onAbort: () => void;
  abandoned: boolean;
}

/**
 * A worker thread that is given one request at a time. When the thread dies, the request at hand fails, and the ones
 * that wait go to a new thread. While idle it does not keep Node running.
 */
export class SerialWorker<Request, Reply> {
  readonly #file: URL;
  readonly #options: SerialWorkerOptions;
  readonly #queue: Job<Request, Reply>[] = [];
  #current: Job<Request, Reply> | undefined;
  #worker: Worker | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(file: URL, options: SerialWorkerOptions) {
    this.#file = file;
    this.#options = options;
  }

  /**
   * The thread's answer. Rejects with the Fault it answered, with Fault("deadline") or the reason of `signal` when that
   * comes first (waiting in the queue counts), and with Fault("failed") when the thread died over it.
   */
  call(request: Request, options: CallOptions<Reply>): Promise<Reply> {
    if (this.#stopped) return Promise.reject(this.#fault(options, "unavailable", "has been stopped"));
    if (options.signal?.aborted) return Promise.reject(abortFault(options));
    const late = () => this.#fault(options, "deadline", `has no answer after ${options.timeoutMs / 1000} s`);
    const job: Job<Request, Reply> = {
      request,
      options,
      answer: Promise.withResolvers(),
      timer: setTimeout(() => this.#abandon(job, late()), options.timeoutMs),
      onAbort: () => this.#abandon(job, abortFault(options)),
      abandoned: false,
    };
    options.signal?.addEventListener("abort", job.onAbort, { once: true });
    this.#queue.push(job);
    this.#next();
    return job.answer.promise;
  }

  /** Ends the thread. Whatever is under way or waits is rejected. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const jobs = [this.#current, ...this.#queue.splice(0)];
    this.#current = undefined;
    for (const job of jobs) {
      if (job !== undefined) this.#settle(job, this.#fault(job.options, "unavailable", "has been stopped"));
    }
    await this.#end();
  }

  #next(): void {
    if (this.#current !== undefined || this.#stopped) return;
    const job = this.#queue.shift();
    if (job === undefined) {
      this.#rest();
      return;
    }
    clearTimeout(this.#idleTimer);
    this.#current = job;
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(job.request); // is kept for the thread until it listens
  }

  #start(): Worker {
    // Nothing of our own command line applies to the thread: it may be `-e`, or `--test`.
    const worker = new Worker(this.#file, {
      name: this.#options.name,
      execArgv: [],
      ...(this.#options.resourceLimits && { resourceLimits: this.#options.resourceLimits }),
    });
    let reason = "it exited";
    worker.on("error", (error) => {
      reason = reasonOf(error);
    });
    worker.on("exit", () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      const job = this.#current;
      this.#current = undefined;
      if (job !== undefined) this.#settle(job, this.#fault(job.options, "failed", `died: ${reason}`));
      this.#next();
    });
    worker.on("message", (answer: WorkerAnswer<Reply>) => this.#answered(worker, answer));
    return worker;
  }

  #answered(worker: Worker, answer: WorkerAnswer<Reply>): void {
    const job = this.#current;
    if (answer.is === "ready" || job === undefined || worker !== this.#worker) return;
    this.#current = undefined;
    if (answer.is === "failed") this.#settle(job, new Fault(answer.code, answer.message));
    else if (job.abandoned) job.options.onLate?.(answer.reply);
    else {
      this.#release(job);
      job.answer.resolve(answer.reply);
    }
    this.#next();
  }

  #abandon(job: Job<Request, Reply>, why: Fault): void {
    this.#settle(job, why);
    job.abandoned = true;
    const index = this.#queue.indexOf(job);
    if (index !== -1) {
      this.#queue.splice(index, 1);
    } else if (this.#options.whenAbandoned === "terminate" && this.#current === job) {
      this.#current = undefined;
      void this.#end();
      this.#next();
    }
  }

  #settle(job: Job<Request, Reply>, why: Fault): void {
    this.#release(job);
    job.answer.reject(why);
  }

  #release(job: Job<Request, Reply>): void {
    clearTimeout(job.timer);
    job.options.signal?.removeEventListener("abort", job.onAbort);
  }

  #rest(): void {
    this.#worker?.unref();
    if (this.#options.idleMs === undefined || this.#worker === undefined) return;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => void this.#end(), this.#options.idleMs);
    this.#idleTimer.unref();
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idleTimer);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #fault(options: CallOptions<Reply>, code: FaultCode, why: string): Fault {
    return new Fault(code, `${options.what}: ${this.#options.name} ${why}`);
  }
}

function abortFault<Reply>(options: CallOptions<Reply>): Fault {
  const reason: unknown = options.signal?.reason;
  const code = codeOf(reason);
  const text = `${options.what}: cancelled (${reasonOf(reason)})`;
  return new Fault(code === "failed" ? "cancelled" : code, text, { cause: reason });
}
