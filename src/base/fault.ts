/**
 * What went wrong, for programs. The edge decides which of these a client sees as a gRPC code;
 * everything that has no agreement with the kubelet behind it is `"failed"`.
 */
export type FaultCode =
  | "not-found"
  | "invalid"
  | "exists"
  | "unavailable"
  | "deadline"
  | "cancelled"
  | "exhausted"
  | "precondition"
  | "denied"
  | "corrupt"
  | "unimplemented"
  | "failed";

/**
 * An error with a code for programs, a message for the person who reads the log at night, and a cause for the developer.
 * The message names the step, the thing, the reason and, where there is one, the remedy.
 */
export class Fault extends Error {
  readonly code: FaultCode;

  constructor(code: FaultCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "Fault";
    this.code = code;
  }
}

/** Whether `error` is a Fault, and one of `codes` when any are named. */
export function isFault(error: unknown, ...codes: readonly FaultCode[]): error is Fault {
  return error instanceof Fault && (codes.length === 0 || codes.includes(error.code));
}

/** The message of anything that was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of a Fault, `"cancelled"` or `"deadline"` for an aborted signal, `"failed"` for the rest. */
export function codeOf(error: unknown): FaultCode {
  if (error instanceof Fault) return error.code;
  if (error instanceof DOMException && error.name === "AbortError") return "cancelled";
  if (error instanceof DOMException && error.name === "TimeoutError") return "deadline";
  return "failed";
}

/** The same failure with more said in front: `"mounting the root file system: <reason>"`. Code and cause are kept. */
export function withStep(step: string, error: unknown): Fault {
  return new Fault(codeOf(error), `${step}: ${reasonOf(error)}`, { cause: error });
}

/** The `errno` name of a Node or system call error, such as `"ENOENT"`; undefined for other errors. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" && /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}

/** For the end of a switch over a union: the compiler refuses it while a case is missing. */
export function assertNever(value: never): never {
  throw new Fault("failed", `a case that cannot be: ${JSON.stringify(value)}`);
}
