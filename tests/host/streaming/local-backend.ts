import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { CommandSession, StreamingBackend } from "../../../src/streaming/index.ts";

/** What the backend of a test was asked for and how that went. */
export interface LocalBackend extends StreamingBackend {
  /** Calls that have not settled. */
  readonly running: number;
  /** Reasons with which sessions were cut off. */
  readonly cutOff: unknown[];
}

/** Runs commands on this machine instead of in a container, and forwards to ports of this machine. */
export function localBackend(): LocalBackend {
  let running = 0;
  const cutOff: unknown[] = [];
  const counted = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    running++;
    signal.addEventListener("abort", () => cutOff.push(signal.reason), { once: true });
    try {
      return await work();
    } finally {
      running--;
    }
  };
  return {
    get running() {
      return running;
    },
    cutOff,
    exec: (request, session) =>
      counted(session.signal, async () => ({
        exitCode: request.tty ? await runOnTerminal(session) : await runProgram(request.command, session),
      })),
    attach: (_request, session) =>
      counted(session.signal, async () => {
        await runProgram(["cat"], session);
      }),
    portForward: (request, connection, signal) => counted(signal, () => forwardTo(request.port, connection, signal)),
  };
}

async function runProgram(command: readonly string[], session: CommandSession): Promise<number> {
  const { stdin, stdout, stderr, signal } = session;
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], signal, killSignal: "SIGKILL" });
  const exited = once(child, "exit");
  child.stdin.on("error", () => {}); // a command need not read its input
  if (stdin) void pipeline(stdin, child.stdin).catch(() => {});
  else child.stdin.end();
  const copied = Promise.allSettled([
    stdout ? pipeline(child.stdout, stdout) : child.stdout.resume(),
    stderr ? pipeline(child.stderr, stderr) : child.stderr.resume(),
  ]);
  const [code] = await exited;
  stdin?.destroy();
  await copied;
  return code ?? 137;
}

/** Says each new size of the client's terminal and what is typed, until a line `exit N`. */
async function runOnTerminal({ stdin, stdout, resizes }: CommandSession): Promise<number> {
  void (async () => {
    for await (const { width, height } of resizes) stdout?.write(`size ${width}x${height}\r\n`);
  })();
  let typed = "";
  for await (const bytes of stdin ?? []) {
    typed += bytes;
    const exit = /exit (\d+)[\r\n]/.exec(typed);
    if (exit !== null) return Number(exit[1]);
    stdout?.write(bytes);
  }
  return 0;
}

async function forwardTo(port: number, connection: Duplex, signal: AbortSignal): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const onAbort = () => socket.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await once(socket, "connect");
    await Promise.all([pipeline(connection, socket), pipeline(socket, connection)]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}
