import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { type Logger, reasonOf } from "../base/index.ts";
import type { CommandSession } from "./backend.ts";
import type { CommandChannels } from "./command-channels.ts";
import { TerminalSizes } from "./resize.ts";
import { type SessionStatus, statusOfFailure, statusText } from "./status.ts";

/** What is done with a client's streams, and the kubelet's sentence for its failure. */
export interface Command {
  readonly run: (session: CommandSession) => Promise<SessionStatus>;
  readonly failure: string;
}

/** Serves a client whose streams are open: runs the command, sends all output, then how it ended. Never rejects. */
export async function serveCommand(channels: CommandChannels, { run, failure }: Command, log: Logger): Promise<void> {
  const { stdin, stdout, stderr, resize, signal } = channels;
  const resizes = new TerminalSizes(resize, signal);
  let status: SessionStatus;
  try {
    status = await run({ stdin, stdout, stderr, resizes, signal });
  } catch (error) {
    const fields = { error: reasonOf(error), ...(signal.aborted ? { client: reasonOf(signal.reason) } : {}) };
    log.debug("session failed", fields);
    status = statusOfFailure(failure, error);
  }
  await Promise.all([allSent(stdout), allSent(stderr)]);
  await channels.conclude(statusText(status, channels.statusFormat));
}

/** Ends an output and waits until the client's connection has taken it, or is gone. */
async function allSent(output: Writable | undefined): Promise<void> {
  if (output === undefined || output.destroyed) return;
  output.end();
  await finished(output, { readable: false }).catch(() => {}); // the session's signal has told the backend
}
