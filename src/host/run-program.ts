import { setTimeout as delay, setImmediate as nextRound } from "node:timers/promises";
import { codeOf, errnoOf, Fault, isFault, reasonOf } from "../base/index.ts";
import { type ExitStatus, exitStatusText } from "./exit-status.ts";
import { OutputCollector } from "./output-collector.ts";
import { type StartedProgram, start, startFault } from "./start-program.ts";

const SIGKILL = 9;
const defaultMaxOutputBytes = 1024 * 1024;
// How long a pipe may stay silent after the program's end, while some descendant of it still holds the other side.
const silenceMs = 200;
const maxSilences = 10;
// A killed program is gone in no time, unless the kernel has it waiting for a device; then nobody should wait for it.
const killedMs = 2000;
const busyRetriesMs = [5, 20, 80, 200];

export interface RunOptions {
  readonly timeoutMs: number;
  /** Default: our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default: standard input is /dev/null. */
  readonly input?: string | Uint8Array;
  /** Per stream, default 1 MiB. More makes it a Fault("exhausted"), and the program is killed. */
  readonly maxOutputBytes?: number;
  readonly signal?: AbortSignal;
  /** As for `startProgram`. */
  readonly cpus?: readonly number[];
}

export interface ProgramResult {
  readonly exit: ExitStatus;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/**
 * Runs a program to its end and collects what it says; resolves whatever its exit status. It gets a session of its own,
 * and at the deadline, when `signal` aborts or when it says too much, its whole process group is killed and this rejects
 * with Fault("deadline"), Fault("cancelled") or Fault("exhausted"), which names the program and its last words.
 * Other faults are those of `startProgram`. What a daemon that it left behind keeps saying is not waited for.
 */
export async function runProgram(path: string, args: readonly string[], options: RunOptions): Promise<ProgramResult> {
  const name = commandText(path, args);
  if (options.signal?.aborted) throw cancelled(name, options.signal, "");
  const program = await startUnlessBusy(path, args, options);
  const run = new Run(program, options);
  try {
    return await run.result();
  } catch (error) {
    await run.kill();
    throw isFault(error)
      ? new Fault(error.code, `${name}: ${error.message}${run.lastWords()}`, { cause: error })
      : error;
  } finally {
    run.release();
  }
}

/** As `runProgram`, but any end other than exit status 0 is a Fault("failed") with the last lines it wrote. */
export async function runProgramOk(path: string, args: readonly string[], options: RunOptions): Promise<ProgramResult> {
  const result = await runProgram(path, args, options);
  if (result.exit.is === "exited" && result.exit.code === 0) return result;
  const words = lastLines(result.stderr) || lastLines(result.stdout);
  const said = words === "" ? "" : `: ${words}`;
  throw new Fault("failed", `${commandText(path, args)} failed: ${exitStatusText(result.exit)}${said}`);
}

/** A program that runs, until it ended or was stopped. */
class Run {
  readonly #program: StartedProgram;
  readonly #stdout: OutputCollector;
  readonly #stderr: OutputCollector;
  readonly #stopped = Promise.withResolvers<never>();
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;

  constructor(program: StartedProgram, options: RunOptions) {
    this.#program = program;
    this.#signal = options.signal;
    this.#stopped.promise.catch(() => {});
    const maxBytes = options.maxOutputBytes ?? defaultMaxOutputBytes;
    const tooMuch = (stream: string) => () =>
      this.#stopped.reject(new Fault("exhausted", `wrote more than ${maxBytes} bytes to its ${stream}; killed`));
    const [stdin, stdout, stderr] = program.stdio;
    this.#stdout = new OutputCollector(stdout, maxBytes, tooMuch("standard output"));
    this.#stderr = new OutputCollector(stderr, maxBytes, tooMuch("standard error"));
    stdin?.on("error", () => {}); // EPIPE: it need not read what it is given
    if (options.input !== undefined) stdin?.end(options.input);
    this.#timer = setTimeout(() => {
      this.#stopped.reject(new Fault("deadline", `no end after ${options.timeoutMs / 1000} s; killed`));
    }, options.timeoutMs);
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (this.#signal?.aborted) this.#onAbort();
  }

  readonly #onAbort = () => {
    const reason: unknown = this.#signal?.reason;
    this.#stopped.reject(new Fault(abortCode(reason), `${abortText(reason)}; killed`, { cause: reason }));
  };

  async result(): Promise<ProgramResult> {
    const exit = await Promise.race([this.#program.exited, this.#stopped.promise]);
    await Promise.race([this.#stopped.promise, this.#drained()]); // in this order: too much output also ends the draining
    return { exit, stdout: this.#stdout.bytes(), stderr: this.#stderr.bytes() };
  }

  async kill(): Promise<void> {
    this.#program.kill(SIGKILL);
    const patience = new AbortController();
    const ended = this.#program.exited.then(
      () => {},
      () => {},
    );
    await Promise.race([ended, delay(killedMs, undefined, { signal: patience.signal }).catch(() => {})]);
    patience.abort();
  }

  /** For an error message: what it wrote before it was stopped. */
  lastWords(): string {
    const words = lastLines(this.#stderr.bytes()) || lastLines(this.#stdout.bytes());
    return words === "" ? "" : `; it had written: ${words}`;
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    for (const stream of this.#program.stdio) stream?.destroy();
  }

  /** Until both pipes have ended, or have been silent for a while: a descendant may keep them open for ever. */
  async #drained(): Promise<void> {
    const done = new AbortController();
    const closed = Promise.all([this.#stdout.closed, this.#stderr.closed]);
    try {
      await Promise.race([closed, this.#silent(done.signal)]);
    } finally {
      done.abort();
    }
  }

  async #silent(signal: AbortSignal): Promise<void> {
    for (let silences = 0; silences < maxSilences; silences++) {
      const before = this.#stdout.size + this.#stderr.size;
      const cancelled = await delay(silenceMs, false, { signal }).catch(() => true);
      if (cancelled) return;
      // When the event loop was late, data may be waiting that it has not looked for yet: let it poll once.
      await nextRound();
      await nextRound();
      if (this.#stdout.size + this.#stderr.size === before) return;
    }
  }
}

/** ETXTBSY passes: some process that was just forked still has the freshly written file open. */
async function startUnlessBusy(path: string, args: readonly string[], options: RunOptions): Promise<StartedProgram> {
  const { env, cwd, input, cpus = [] } = options;
  const stdio = [input === undefined ? "null" : "write", "read", "read"] as const;
  const plan = { stdio, newSession: true, cpus, ...(env && { env }), ...(cwd === undefined ? {} : { cwd }) };
  for (const waitMs of busyRetriesMs) {
    try {
      return await start(path, args, plan);
    } catch (error) {
      if (errnoOf(error) !== "ETXTBSY") throw startFault(path, cwd, error);
      await delay(waitMs);
    }
  }
  try {
    return await start(path, args, plan);
  } catch (error) {
    throw startFault(path, cwd, error);
  }
}

function cancelled(name: string, signal: AbortSignal, words: string): Fault {
  const reason: unknown = signal.reason;
  return new Fault(abortCode(reason), `${name}: not started: ${abortText(reason)}${words}`, { cause: reason });
}

function abortCode(reason: unknown) {
  const code = codeOf(reason);
  return code === "failed" ? "cancelled" : code;
}

function abortText(reason: unknown): string {
  return `cancelled (${reasonOf(reason)})`;
}

/** The command as a person would look for it, at most 300 characters. */
function commandText(path: string, args: readonly string[]): string {
  const text = [path, ...args].join(" ");
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** The last lines, at most five and 1000 characters, on one line and without control characters. */
function lastLines(output: Buffer): string {
  const tail = output.subarray(-1000).toString("utf8").replace(/^�+/, "").trim();
  const lines = tail.split("\n").slice(-5);
  return lines.map((line) => line.replace(/[\x00-\x1f\x7f]+/g, " ").trim()).join(" | ");
}
