import { errnoOf, Fault, type FaultCode, reasonOf } from "../base/index.ts";
import { printable } from "./words.ts";

/** What kind of failure a registry request ended with, for programs: retries, metrics, the choice of the next mirror. */
export type RegistryFailure =
  /** No complete answer arrived. `transient`: another try may succeed. */
  | { readonly is: "network"; readonly transient: boolean; readonly timedOut: boolean; readonly errno?: string }
  /** The registry answered with an error. `codes` are those of the distribution spec, such as `MANIFEST_UNKNOWN`. */
  | {
      readonly is: "status";
      readonly status: number;
      readonly codes: readonly string[];
      readonly retryAfterMs?: number;
    }
  /** It is no container image, but an OCI artifact. */
  | { readonly is: "artifact" }
  /** The answer is not what it claims to be, or is not acceptable. */
  | { readonly is: "content" };

/** A Fault of a registry request. Its message holds no credentials and no query strings. */
export class RegistryFault extends Fault {
  readonly failure: RegistryFailure;

  constructor(code: FaultCode, message: string, failure: RegistryFailure, options?: { readonly cause?: unknown }) {
    super(code, message, options);
    this.failure = failure;
  }
}

/** The registry failure behind `error`, looked for along its causes; undefined when there is none. */
export function registryFailureOf(error: unknown): RegistryFailure | undefined {
  let current = error;
  for (let depth = 0; depth < 10 && current instanceof Error; depth++) {
    if (current instanceof RegistryFault) return current.failure;
    current = current.cause;
  }
  return undefined;
}

/** Whether the same request may succeed a moment later: a broken connection, a stall, 408, 429, most of 5xx. */
export function isTransient(error: unknown): boolean {
  const failure = registryFailureOf(error);
  if (failure?.is === "network") return failure.transient;
  if (failure?.is !== "status") return false;
  const { status } = failure;
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/** The answer is wrong in itself; another endpoint may have a better one, the same will not. */
export function contentFault(message: string, code: FaultCode = "corrupt"): RegistryFault {
  return new RegistryFault(code, message, { is: "content" });
}

/** A Fault from an error of Node's sockets. The code is "unavailable" only for a refused connection. */
export function networkFault(what: string, error: unknown): RegistryFault {
  const errno = errnoOf(error);
  const reason = printable(reasonOfSocket(error));
  return new RegistryFault(
    errno === "ECONNREFUSED" ? "unavailable" : "failed",
    `${what}: ${errno === "ECONNREFUSED" ? `connection refused (${reason})` : reason}${remedyFor(error)}`,
    {
      is: "network",
      transient: errno !== undefined && transientErrnos.has(errno),
      timedOut: errno === "ETIMEDOUT",
      ...(errno !== undefined && { errno }),
    },
  );
}

/** A Fault for a peer that stopped talking. */
export function stallFault(what: string, silence: string): RegistryFault {
  return new RegistryFault("failed", `${what}: ${silence}`, { is: "network", transient: true, timedOut: true });
}

/** A connection that ended before the announced bytes had come. */
export function prematureEnd(what: string, received: number, expected: number): RegistryFault {
  const message = `${what}: the connection ended after ${received} of ${expected} bytes`;
  return new RegistryFault("failed", message, { is: "network", transient: true, timedOut: false });
}

const transientErrnos: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ENETRESET",
]);

/** Node tries several addresses and reports them as one AggregateError without words of its own. */
function reasonOfSocket(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(reasonOf).join("; ");
  const reason = reasonOf(error);
  if (errnoOf(error) === "ECONNRESET") return wordsOfBroken(reason);
  // the advice after the semicolon is about Node's command line
  return reason.replace(/; if the root CA is installed locally.*$/s, "");
}

/** What Node says of a connection that ends too soon is plain to who knows Node alone. */
function wordsOfBroken(reason: string): string {
  if (reason === "aborted") return "the connection was closed in the middle of the answer";
  if (reason === "socket hang up") return "the connection was closed before an answer came";
  return /^\w+ ECONNRESET\b/.test(reason) ? `the connection was reset (${reason})` : reason;
}

function remedyFor(error: unknown): string {
  const code = error instanceof Error && "code" in error ? printable(String(error.code)) : "";
  if (/^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_)/.test(code)) {
    return "; put its CA into certs.d or the system's trust store";
  }
  if (code === "EPROTO" || code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG") {
    return "; for a registry without TLS set insecure = true in registries.conf";
  }
  return "";
}
