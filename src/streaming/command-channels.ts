import type { Readable, Writable } from "node:stream";
import type { StatusFormat } from "./status.ts";

/** A client's streams for one command, whatever it speaks. */
export interface CommandChannels {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly resize: Readable | undefined;
  readonly statusFormat: StatusFormat;
  /** Aborts with a Fault when the client is gone. */
  readonly signal: AbortSignal;
  /** Takes no more input, sends the last word on the error stream, and closes once the client has it all. Never rejects. */
  conclude(status: string): Promise<void>;
}
