import type { Duplex, Readable, Writable } from "node:stream";

/** Which streams the client will open. Never both `tty` and `stderr`, and at least one of the three. */
export interface StreamSelection {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface ExecRequest extends StreamSelection {
  readonly containerId: string;
  readonly command: readonly string[];
}

export interface AttachRequest extends StreamSelection {
  readonly containerId: string;
}

export interface PortForwardRequest {
  readonly podId: string;
  /** For clients that speak WebSocket channels: they cannot name ports later. SPDY clients name theirs per connection. */
  readonly ports?: readonly number[];
}

/** A terminal's size in characters, each 0 to 65535. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/**
 * The client's end of a command. The streams are there exactly when they were asked for, they give and take back-pressure,
 * and they are destroyed when the client goes away; their errors need no listener.
 */
export interface CommandSession {
  /** What the client sends; its end is the client's end of input. */
  readonly stdin: Readable | undefined;
  /** What is written reaches the client; `end()` is optional, the end of the session ends them too. */
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** The sizes that the client's terminal takes, for one loop. Of a storm of changes only the latest is kept. */
  readonly resizes: AsyncIterable<TerminalSize>;
  /** Aborts with a Fault when the client is gone or idle for too long, or the server stops. */
  readonly signal: AbortSignal;
}

export interface ExecOutcome {
  readonly exitCode: number;
}

/** One connection to a port of a pod. */
export interface ForwardRequest {
  readonly podId: string;
  /** 1 to 65535. */
  readonly port: number;
}

/**
 * What the streaming server needs of the rest of the daemon. A call's promise is its session: the server ends the client's
 * side when it settles, so it settles after the last byte was written. After the signal aborted it settles soon.
 */
export interface StreamingBackend {
  /** Runs a command in a container. A rejection reaches the client as an error, a non-zero exit code does not reject. */
  exec(request: ExecRequest, session: CommandSession): Promise<ExecOutcome>;
  /** Connects to the main process of a container, until it ends or the client leaves. */
  attach(request: AttachRequest, session: CommandSession): Promise<void>;
  /**
   * Carries one connection to a port inside a pod. `connection` half-closes both ways: its readable end is the client's
   * half-close, `connection.end()` is the pod's. (A plain `for await` over it destroys both directions at the first end:
   * use `pipeline`, or `iterator({ destroyOnReturn: false })`.)
   */
  portForward(request: ForwardRequest, connection: Duplex, signal: AbortSignal): Promise<void>;
}
