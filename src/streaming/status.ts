import { reasonOf } from "../base/index.ts";

/** How a session tells its client about its end: protocols of version 4 and later as JSON, older ones as plain text. */
export type StatusFormat = "json" | "text";

/** The part of the Kubernetes status object (meta/v1 Status) that clients of the error stream read. */
export interface SessionStatus {
  readonly metadata: Readonly<Record<string, never>>;
  readonly status: "Success" | "Failure";
  readonly message?: string;
  readonly reason?: "NonZeroExitCode" | "InternalError";
  readonly details?: { readonly causes: readonly { readonly reason: "ExitCode"; readonly message: string }[] };
  readonly code?: number;
}

/** The status of a command that ran to its end. */
export function statusOfExit(exitCode: number): SessionStatus {
  if (exitCode === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(exitCode) }] },
  };
}

/** The status of a session that could not be had, or broke. `what` is the kubelet's sentence for it. */
export function statusOfFailure(what: string, error: unknown): SessionStatus {
  return {
    metadata: {},
    status: "Failure",
    message: `Internal error occurred: ${what}: ${reasonOf(error)}`,
    reason: "InternalError",
    code: 500,
  };
}

/** What goes onto the error stream; nothing at all for a success of the older protocols. */
export function statusText(status: SessionStatus, format: StatusFormat): string {
  if (format === "json") return JSON.stringify(status);
  return status.status === "Success" ? "" : (status.message ?? "");
}
