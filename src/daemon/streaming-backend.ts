import type { Duplex, Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { reasonOf, untilAborted } from "../base/index.ts";
import {
  attachToContainer,
  type ContainerAttachment,
  execInContainer,
  findContainer,
  refreshContainer,
} from "../containers/index.ts";
import type { Terminal } from "../host/index.ts";
import { connectToPod, findPod, type PodDeps } from "../pods/index.ts";
import { type ExecSession, exitCodeOf } from "../runtime/index.ts";
import type { CommandSession, StreamingBackend } from "../streaming/index.ts";
import { CommandOutput, writeTo } from "./command-output.ts";

/** A child left behind by a command may hold its output open; after the command's end, nobody waits for it once it was silent for so long. */
const drainMs = 1_000;
/** ctrl-p, ctrl-q: leaves an attached container running. */
const detachKeys = Buffer.from([0x10, 0x11]);

/** What the streaming server does in containers and pods. */
export function streamingBackend(deps: PodDeps): StreamingBackend {
  return {
    async exec({ containerId, command, tty, stdin }, session) {
      const container = await refreshContainer(deps, findContainer(deps, containerId), session.signal);
      const { signal } = session;
      await using exec = await execInContainer(deps, container, { args: command, tty, stdin, signal });
      const stop = () => exec.kill();
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
      const output = new CommandOutput();
      const carried =
        exec.io.is === "terminal"
          ? carryTerminal(exec.io.terminal, session, output)
          : carryPipes(exec.io, session, output);
      carried.catch(() => {}); // told below; it may come before the command's end
      const status = await exec.exited;
      const done = new AbortController();
      await Promise.race([carried, output.silent(drainMs, AbortSignal.any([signal, done.signal]))]);
      done.abort();
      return { exitCode: exitCodeOf(status) };
    },

    async attach({ containerId, tty }, session) {
      const container = await refreshContainer(deps, findContainer(deps, containerId), session.signal);
      await using attachment = await attachToContainer(deps, container, session.signal);
      const { stdin, tty: hasTty, stdinOnce } = container.record;
      const output = carryOutput(attachment, session);
      void carryResizes(session, (size) => attachment.resize(size));
      const endsWithInput = session.stdin !== undefined && stdin && !hasTty && !stdinOnce;
      const input = carryInput(attachment, session, tty);
      const ended = Promise.race([
        output,
        input.then((how) => (how === "detached" || endsWithInput ? undefined : output)),
      ]);
      await untilAborted(ended, session.signal);
    },

    async portForward({ podId, port }, connection, signal) {
      const socket = await connectToPod(deps, findPod(deps, podId), port, signal);
      await carryBothWays(socket, connection, signal);
    },
  };
}

type Pipes = Extract<ExecSession["io"], { readonly is: "pipes" }>;

async function carryPipes(
  { stdin, stdout, stderr }: Pipes,
  session: CommandSession,
  output: CommandOutput,
): Promise<void> {
  if (stdin !== undefined) {
    stdin.on("error", () => {}); // a command need not read its input
    if (session.stdin === undefined) stdin.end();
    else pipeline(session.stdin, stdin).catch(() => {}); // the client's going ends the command's input too
  }
  await Promise.all([carry(stdout, session.stdout, output), carry(stderr, session.stderr, output)]);
}

/** Copies a stream to the client; without a client for it, it is read all the same, so that the command is not held up. */
async function carry(from: Readable, to: Writable | undefined, output: CommandOutput): Promise<void> {
  if (to === undefined) {
    from.resume();
    return;
  }
  for await (const chunk of from) await output.write(to, chunk);
}

async function carryTerminal(terminal: Terminal, session: CommandSession, output: CommandOutput): Promise<void> {
  void carryResizes(session, async ({ height, width }) => terminal.resize({ rows: height, columns: width }));
  void typeInto(terminal, session.stdin);
  for await (const chunk of terminal.output) await output.write(session.stdout, chunk);
}

async function typeInto(terminal: Terminal, stdin: Readable | undefined): Promise<void> {
  try {
    for await (const chunk of wholly(stdin)) await terminal.write(chunk);
  } catch {
    // The command has closed its terminal, or the client has gone; both end the session elsewhere.
  }
}

async function carryOutput(attachment: ContainerAttachment, session: CommandSession): Promise<void> {
  for await (const { stream, data } of attachment.output) {
    await writeTo(stream === "stderr" ? session.stderr : session.stdout, data);
  }
}

/** Resolves when the client's input has ended, or on the keys that detach a terminal. */
async function carryInput(
  attachment: ContainerAttachment,
  session: CommandSession,
  tty: boolean,
): Promise<"ended" | "detached"> {
  let last = Buffer.alloc(0);
  try {
    for await (const data of wholly(session.stdin)) {
      if (tty && Buffer.concat([last, data]).includes(detachKeys)) return "detached";
      last = data.subarray(-1);
      await attachment.write(data);
    }
    if (session.stdin !== undefined) attachment.finishInput();
  } catch {
    // The container has ended, which the output tells too.
  }
  return "ended";
}

/** What a client sends. A plain loop would destroy the stream at its end, and tell the client that its input had failed. */
function wholly(stdin: Readable | undefined): AsyncIterable<Buffer<ArrayBuffer>> | readonly Buffer<ArrayBuffer>[] {
  return stdin?.iterator({ destroyOnReturn: false }) ?? [];
}

async function carryResizes(
  session: CommandSession,
  resize: (size: { readonly height: number; readonly width: number }) => Promise<void>,
): Promise<void> {
  try {
    for await (const size of session.resizes) await resize(size);
  } catch {
    // A terminal that is gone has no size.
  }
}

/** Each direction ends by itself: one side may still send when the other has finished. */
async function carryBothWays(socket: Duplex, connection: Duplex, signal: AbortSignal): Promise<void> {
  const stop = () => socket.destroy(new Error(reasonOf(signal.reason)));
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.all([pipeline(socket, connection), pipeline(connection, socket)]);
  } finally {
    signal.removeEventListener("abort", stop);
    socket.destroy();
  }
}
