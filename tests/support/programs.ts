import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";

/** How a program ended and what it said; `code` is 128 + signal number where a signal ended it, as in a shell. */
export interface Finished {
  readonly code: number;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** After this the program's whole process group is killed. Default: ten minutes. */
  readonly timeoutMs?: number;
  /** Called with each piece of output as it comes, both streams; the text is still collected. */
  readonly onOutput?: (text: string) => void;
}

const defaultTimeoutMs = 600_000;
const keptCharacters = 4 << 20;

/**
 * Runs a program to its end and collects what it says (the last 4 MiB of each stream). Resolves for any exit status;
 * rejects only when the program cannot be started.
 */
export function run(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...spawnOptions(options), stdio: ["pipe", "pipe", "pipe"], detached: true });
    const output = { stdout: "", stderr: "" };
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child, "SIGKILL");
    }, options.timeoutMs ?? defaultTimeoutMs);
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        output[stream] = (output[stream] + text).slice(-keptCharacters);
        options.onOutput?.(text);
      });
    }
    child.stdin.on("error", () => {}); // a program may end without reading its input
    child.stdin.end(options.input ?? "");
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(new Error(`cannot start ${program}: ${error.message}`, { cause: error }));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code: exitCode(code, signal), signal: signal ?? undefined, ...output, timedOut });
    });
  });
}

/** Like {@link run}, but rejects with the program's own last words unless it exits 0. */
export async function mustRun(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const finished = await run(command, options);
  if (finished.code === 0 && !finished.timedOut) return finished;
  throw new Error(`\`${command.join(" ")}\` ${ending(finished)}\n${lastLines(finished.stdout + finished.stderr, 40)}`);
}

/** Runs a program on this process's own terminal or streams; resolves with its exit code. */
export function runAttached(command: readonly string[], options: Omit<RunOptions, "input"> = {}): Promise<number> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...spawnOptions(options), stdio: "inherit" });
    const timer =
      options.timeoutMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), options.timeoutMs);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve(exitCode(code, signal));
    });
  });
}

/** The exit status as a shell counts it. */
export function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return 128 + (signal === null ? 0 : (signalNumbers[signal] ?? 0));
}

/** Sends a signal to a child and all that it started in its process group; a group that is gone is fine. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // ended in between
  }
}

/** The last lines of a program's output. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}

const signalNumbers: Partial<Record<NodeJS.Signals, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

function spawnOptions(options: RunOptions): SpawnOptions {
  return { cwd: options.cwd ?? process.cwd(), env: { ...process.env, ...options.env } };
}

function ending(finished: Finished): string {
  if (finished.timedOut) return "did not end in time and was killed";
  return finished.signal === undefined ? `ended with status ${finished.code}` : `was ended by ${finished.signal}`;
}
