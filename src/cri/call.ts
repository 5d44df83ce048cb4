import { Fault, type Logger } from "../base/index.ts";

/** What a handler knows of the request besides its message. */
export interface Call {
  /** Aborts when the client cancels, disconnects or its deadline passes, with a Fault that says which. */
  readonly signal: AbortSignal;
  /** When the client gives up, in milliseconds since the epoch; undefined when it waits for ever. */
  readonly deadlineMs: number | undefined;
  /** Every line carries the request's id and the RPC's name. */
  readonly log: Logger;
}

/** Whole milliseconds left until the client gives up; `otherwise` when it waits for ever. */
export function remainingMs(call: Call, otherwise: number): number {
  return call.deadlineMs === undefined ? otherwise : Math.max(0, call.deadlineMs - Date.now());
}

/** The Fault of a request whose client is gone. */
export function endedEarly(deadlineMs: number | undefined): Fault {
  if (deadlineMs !== undefined && Date.now() >= deadlineMs) return new Fault("deadline", "context deadline exceeded");
  return new Fault("cancelled", "context canceled");
}
