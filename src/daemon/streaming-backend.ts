import type { Duplex, Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf, untilAborted } from "../base/index.ts";
import {
  attachToContainer,
  type ContainerAttachment,
  execInContainer,
  findContainer,
  refreshContainer,
} from "../containers/index.ts";
import type { ExitStatus, Terminal } from "../host/index.ts";
import { connectToPod, findPod, type PodDeps } from "../pods/index.ts";
import type { ExecSession } from "../runtime/index.ts";
import type { CommandSession, StreamingBackend } from "../streaming/index.ts";

/** A child left behind by a command may hold its output open; this long after the command's end nobody waits for it. */
const drainMs = 1_000;
/** ctrl-p, ctrl-q: leaves an attached container running. */
const detachKeys = Buffer.from([0x10, 0x11]);

/** What the streaming server does in containers and pods. */
export function streamingBackend(deps: PodDeps): StreamingBackend {
  return {
    async exec({ containerId, command, tty, stdin }, session) {
      const container = await refreshContainer(deps, findContainer(deps, containerId), session.signal);
      await using exec = await execInContainer(deps, container, { args: command, tty, stdin, signal: session.signal });
      const stop = () => exec.kill();
      session.signal.addEventListener("abort", stop, { once: true });
      if (session.signal.aborted) stop();
      const carried =
        exec.io.is === "terminal" ? carryTerminal(exec.io.terminal, session) : carryPipes(exec.io, session);
      const status = await exec.exited;
      await Promise.race([carried, sleep(drainMs)]);
      return { exitCode: exitCodeOf(status) };
    },

    async attach({ containerId, tty }, session) {
      const container = await refreshContainer(deps, findContainer(deps, containerId), session.signal);
      await using attachment = await attachToContainer(deps, container, session.signal);
      const { stdin, tty: hasTty, stdinOnce } = container.record;
      const output = carryOutput(attachment, session);
      void carryResizes(session, (size) => attachment.resize(size));
      const endsWithInput = stdin && !hasTty && !stdinOnce;
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

async function carryPipes({ stdin, stdout, stderr }: Pipes, session: CommandSession): Promise<void> {
  if (stdin !== undefined) {
    stdin.on("error", () => {}); // a command need not read its input
    if (session.stdin === undefined) stdin.end();
    else session.stdin.pipe(stdin);
  }
  await Promise.all([carry(stdout, session.stdout), carry(stderr, session.stderr)]);
}

/** Copies a stream to the client; without a client for it, it is read all the same, so that the command is not held up. */
async function carry(from: Readable, to: Writable | undefined): Promise<void> {
  if (to === undefined) {
    from.resume();
    return;
  }
  await pipeline(from, to, { end: false }).catch(() => from.resume());
}

async function carryTerminal(terminal: Terminal, session: CommandSession): Promise<void> {
  void carryResizes(session, async ({ height, width }) => terminal.resize({ rows: height, columns: width }));
  void typeInto(terminal, session.stdin);
  for await (const chunk of terminal.output) await write(session.stdout, chunk);
}

async function typeInto(terminal: Terminal, stdin: Readable | undefined): Promise<void> {
  try {
    for await (const chunk of stdin ?? []) await terminal.write(chunk);
  } catch {
    // The command has closed its terminal, or the client has gone; both end the session elsewhere.
  }
}

async function carryOutput(attachment: ContainerAttachment, session: CommandSession): Promise<void> {
  for await (const { stream, data } of attachment.output) {
    await write(stream === "stderr" ? session.stderr : session.stdout, data);
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
    for await (const chunk of session.stdin ?? []) {
      const data = Buffer.from(chunk);
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

async function write(to: Writable | undefined, chunk: Buffer): Promise<void> {
  if (to === undefined || to.destroyed) return;
  if (to.write(chunk)) return;
  await new Promise<void>((resolve) => {
    to.once("drain", resolve);
    to.once("close", resolve);
  });
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

/** As a shell tells it. */
function exitCodeOf(status: ExitStatus): number {
  return status.is === "exited" ? status.code : 128 + status.signal;
}
