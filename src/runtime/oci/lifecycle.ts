import { Fault, isFault } from "../../base/index.ts";
import type { RuntimeHandler } from "../handler.ts";
import { runRuntime } from "./command.ts";

/** How long a runtime may take for a command that only talks to the kernel. */
const commandTimeoutMs = 120_000;

export type OciStatus = "creating" | "created" | "running" | "paused" | "stopped";

/** The runtime's `state` of a container (OCI runtime specification, "State"). */
export interface OciState {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: OciStatus;
  readonly pid: number;
  readonly bundle: string;
}

/** Starts the process of a created container. */
export async function startInRuntime(handler: RuntimeHandler, id: string, signal?: AbortSignal): Promise<void> {
  await runRuntime(handler, ["start", id], withSignal(signal));
}

/** Sends a signal, given as its number or `KILL`, to the container's process. False when there is no process any more. */
export async function killInRuntime(handler: RuntimeHandler, id: string, signal: number | "KILL"): Promise<boolean> {
  try {
    await runRuntime(handler, ["kill", id, String(signal)], { timeoutMs: commandTimeoutMs });
    return true;
  } catch (error) {
    if (isFault(error, "not-found")) return false;
    throw error;
  }
}

/** Kills every process of a container that shares the host's PID namespace; nothing else would end them. */
export async function killAllInRuntime(handler: RuntimeHandler, id: string): Promise<void> {
  try {
    await runRuntime(handler, ["kill", "-a", id, "9"], { timeoutMs: commandTimeoutMs });
  } catch (error) {
    if (!isFault(error, "not-found")) throw error;
  }
}

/** Removes what the runtime keeps of a container, killing what is left of it. Succeeds when the runtime knows none. */
export async function deleteInRuntime(handler: RuntimeHandler, id: string): Promise<void> {
  try {
    await runRuntime(handler, ["delete", "--force", id], { timeoutMs: commandTimeoutMs });
  } catch (error) {
    if (!isFault(error, "not-found")) throw error;
  }
}

/** What the runtime says of a container; undefined when it knows none. */
export async function stateInRuntime(handler: RuntimeHandler, id: string): Promise<OciState | undefined> {
  try {
    const { stdout } = await runRuntime(handler, ["state", id], { timeoutMs: commandTimeoutMs });
    return parseState(stdout.toString());
  } catch (error) {
    if (isFault(error, "not-found")) return undefined;
    throw error;
  }
}

/** Lets a paused container go on. */
export async function resumeInRuntime(handler: RuntimeHandler, id: string): Promise<void> {
  await runRuntime(handler, ["resume", id], { timeoutMs: commandTimeoutMs });
}

/** Freezes a container. */
export async function pauseInRuntime(handler: RuntimeHandler, id: string): Promise<void> {
  await runRuntime(handler, ["pause", id], { timeoutMs: commandTimeoutMs });
}

/** Changes the resources of a container; `resources` is the JSON of the OCI `linux.resources`. */
export async function updateInRuntime(handler: RuntimeHandler, id: string, resources: string): Promise<void> {
  try {
    await runRuntime(handler, ["update", "--resources", "-", id], { timeoutMs: commandTimeoutMs, input: resources });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Fault("failed", `updating resources for container "${id}" failed: ${words}`, { cause: error });
  }
}

function parseState(text: string): OciState {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) throw new Fault("failed", "the runtime's state is not an object");
  const field = (key: string): unknown => Reflect.get(value, key);
  const status = field("status");
  const pid = field("pid");
  return {
    ociVersion: String(field("ociVersion") ?? ""),
    id: String(field("id") ?? ""),
    status: isStatus(status) ? status : "stopped",
    pid: typeof pid === "number" && Number.isSafeInteger(pid) ? pid : 0,
    bundle: String(field("bundle") ?? ""),
  };
}

function isStatus(value: unknown): value is OciStatus {
  return typeof value === "string" && ["creating", "created", "running", "paused", "stopped"].includes(value);
}

function withSignal(signal: AbortSignal | undefined) {
  return signal === undefined ? { timeoutMs: commandTimeoutMs } : { timeoutMs: commandTimeoutMs, signal };
}
