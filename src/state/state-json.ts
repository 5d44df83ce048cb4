import { Fault, goZeroTime, nsFromRfc3339, rfc3339FromNs } from "../base/index.ts";
import { type JsonObject, jsonField, jsonObject, jsonText, parseJsonObject } from "../oci/index.ts";
import type { KnownProcess } from "../runtime/index.ts";
import type { Container, ContainerState } from "./container.ts";

/** A state file is a few hundred bytes; error texts, and the annotations that CRI-O repeats in it, make it longer. */
export const maxStateBytes = 8 << 20;

/** What `state.json` adds to a container's record (reference: ondisk.md 3.2). */
export interface StoredState {
  readonly state: ContainerState;
  readonly init?: KnownProcess;
  readonly monitor?: KnownProcess;
}

/** The text of `state.json`: the OCI state with CRI-O's times, exit code and processes. */
export function stateJson(container: Container): string {
  const { record, state, init, monitor, spec } = container;
  const started = state.is === "created" ? 0n : state.startedAtNs;
  const exited = state.is === "exited" ? state : undefined;
  return JSON.stringify({
    ociVersion: spec.ociVersion,
    id: record.id,
    status: statusWord(state),
    ...(init === undefined ? {} : { pid: init.pid }),
    bundle: record.runDir,
    created: goTime(record.createdAtNs),
    started: goTime(started),
    finished: goTime(exited?.finishedAtNs ?? 0n),
    ...(exited === undefined ? {} : { exitCode: exited.exitCode }),
    ...(exited?.oomKilled ? { oomKilled: true } : {}),
    ...(errorText(state) === "" ? {} : { error: errorText(state) }),
    ...(init === undefined ? {} : { initPid: init.pid, initStartTime: init.startTime }),
    checkpointedTime: goZeroTime,
    ...(monitor === undefined ? {} : { containerMonitorProcess: { pid: monitor.pid, startTime: monitor.startTime } }),
  });
}

/** Reads a `state.json`, ours or CRI-O's. Rejects with Fault("invalid") naming the field that is off. */
export function parseStateJson(bytes: Uint8Array): StoredState {
  const what = "state.json";
  const body = parseJsonObject(bytes, what, maxStateBytes);
  const init = processOf(body, "initPid", "initStartTime") ?? processOf(body, "pid", "initStartTime");
  const monitorBody = jsonField(body, "containerMonitorProcess");
  const monitor = monitorBody === undefined ? undefined : processOf(jsonObject(monitorBody, what), "pid", "startTime");
  return {
    state: stateOf(body),
    ...(init === undefined ? {} : { init }),
    ...(monitor === undefined ? {} : { monitor }),
  };
}

function stateOf(body: JsonObject): ContainerState {
  const what = "state.json";
  const startedAtNs = timeOf(body, "started");
  const finishedAtNs = timeOf(body, "finished");
  const exitCode = integerOf(body, "exitCode");
  const error = jsonText(body, "error", what) ?? "";
  const status = jsonText(body, "status", what);
  switch (status) {
    case "created":
    case "creating":
      return { is: "created" };
    case "running":
    case "paused":
      return { is: "running", startedAtNs, paused: status === "paused" };
    default:
      if (exitCode === undefined) {
        return { is: "unknown", startedAtNs, why: error === "" ? "nobody saw the container end" : error };
      }
      return {
        is: "exited",
        startedAtNs,
        finishedAtNs,
        exitCode,
        oomKilled: jsonField(body, "oomKilled") === true,
        error,
      };
  }
}

/** The OCI runtime's and CRI-O's word for a state: an end that nobody saw is one too. */
export function statusWord(state: ContainerState): "created" | "running" | "paused" | "stopped" {
  if (state.is === "running") return state.paused ? "paused" : "running";
  return state.is === "created" ? "created" : "stopped";
}

function errorText(state: ContainerState): string {
  if (state.is === "exited") return state.error;
  return state.is === "unknown" ? state.why : "";
}

function goTime(ns: bigint): string {
  return ns === 0n ? goZeroTime : rfc3339FromNs(ns);
}

function timeOf(body: JsonObject, key: string): bigint {
  const text = jsonText(body, key, "state.json");
  try {
    return text === undefined ? 0n : nsFromRfc3339(text);
  } catch (cause) {
    throw new Fault("invalid", `state.json: ${key} is not a time`, { cause });
  }
}

function integerOf(body: JsonObject, key: string): number | undefined {
  const value = jsonField(body, key);
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}

function processOf(body: JsonObject, pidKey: string, startKey: string): KnownProcess | undefined {
  const pid = integerOf(body, pidKey);
  if (pid === undefined || pid <= 1) return undefined;
  return { pid, startTime: jsonText(body, startKey, "state.json") ?? "" };
}
