import { codeOf, Fault, type FaultCode, reasonOf } from "../base/index.ts";
import { exitStatusText, type ProgramResult } from "../host/index.ts";
import { type JsonObject, jsonField, jsonText } from "../oci/index.ts";
import { parseJson } from "./json.ts";
import type { PluginCall } from "./plugin.ts";

/** Longest text of a plugin that is repeated. */
const maxWords = 2000;

/** CNI specification, section "Error": the codes whose meaning is fixed. */
const codeWords: ReadonlyMap<number, string> = new Map([
  [1, "incompatible CNI version"],
  [2, "unsupported field in the network configuration"],
  [3, "container unknown or does not exist"],
  [4, "invalid environment variables"],
  [5, "I/O failure"],
  [6, "failed to decode content"],
  [7, "invalid network configuration"],
  [11, "try again later"],
  [50, "the plugin is not available"],
  [51, "the plugin is not available, and existing containers may have limited connectivity"],
]);

const passingCodes: readonly number[] = [11, 50, 51];

/** The Fault for a plugin that ended with an exit status or by a signal: its own words, from standard output or else standard error. */
export function outcomeFault(call: PluginCall, { exit, stdout, stderr }: ProgramResult): Fault {
  const error = errorObject(stdout);
  if (error === undefined) {
    const spoken = tailOf(stderr) || tailOf(stdout);
    return failed("failed", call, `${exitStatusText(exit)}${spoken === "" ? " and no error message" : `: ${spoken}`}`);
  }
  const code = jsonField(error, "code");
  const known = typeof code === "number" ? codeWords.get(code) : undefined;
  const message = clip(textOf(error, "msg") || tailOf(stderr) || exitStatusText(exit));
  const details = clip(textOf(error, "details"));
  const number =
    typeof code === "number" && code > 0 ? ` (code ${code}${known === undefined ? "" : `, ${known}`})` : "";
  const words = `${message}${details === "" || details === message ? "" : `; ${details}`}${number}`;
  return failed(typeof code === "number" && passingCodes.includes(code) ? "unavailable" : "failed", call, words);
}

/** The Fault for a plugin that could not be run to its end. */
export function runFault(call: PluginCall, error: unknown, elapsedMs: number): Fault {
  const code = codeOf(error);
  const killed = code === "deadline" || code === "cancelled" ? `killed after ${(elapsedMs / 1000).toFixed(1)} s: ` : "";
  return failed(code, call, `${killed}${reasonOf(error)}`, error);
}

/** The Fault for a plugin that ended well but printed what cannot be understood. */
export function outputFault(call: PluginCall, stdout: Buffer, error: unknown): Fault {
  const printed = stdout.length === 0 ? "nothing" : JSON.stringify(stdout.toString("utf8", 0, 200));
  return failed("failed", call, `it printed no valid result (${reasonOf(error)}): ${printed}`, error);
}

function failed(code: FaultCode, { type, network, command }: PluginCall, words: string, cause?: unknown): Fault {
  const plugin = `plugin type=${JSON.stringify(type)}${network === "" ? "" : ` name=${JSON.stringify(network)}`}`;
  return new Fault(code, `${plugin} failed (${verbs[command]}): ${words}`, { cause });
}

const verbs: Readonly<Record<PluginCall["command"], string>> = {
  ADD: "add",
  CHECK: "check",
  DEL: "delete",
  STATUS: "status",
  GC: "gc",
  VERSION: "version",
};

/** What a plugin printed, when it is an error as the specification has it. */
function errorObject(stdout: Buffer): JsonObject | undefined {
  try {
    const object = parseJson(stdout, "the error", 1024 * 1024);
    return textOf(object, "msg") !== "" || typeof jsonField(object, "code") === "number" ? object : undefined;
  } catch {
    return undefined;
  }
}

function textOf(object: JsonObject, key: string): string {
  try {
    return jsonText(object, key, "the error") ?? "";
  } catch {
    return "";
  }
}

/** The last lines; of a Go program that crashed the line that says why, which stands above its stack. */
function tailOf(output: Buffer): string {
  const lines = output.toString("utf8").trim().split("\n");
  const crash = lines.find((line) => /^(panic|fatal error): /.test(line));
  return crash === undefined ? lines.slice(-5).join("\n").slice(-maxWords) : clip(crash);
}

function clip(text: string): string {
  return text.length <= maxWords ? text : `${text.slice(0, maxWords)}…`;
}
