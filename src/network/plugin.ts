import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, Fault, inStep, untilAborted } from "../base/index.ts";
import type { ProgramResult } from "../host/index.ts";
import type { Attachment } from "./attachment.ts";
import { isPluginName } from "./names.ts";
import { outcomeFault, runFault } from "./plugin-fault.ts";
import type { Runner } from "./runner.ts";

/** Where plugins are and how they are run. */
export interface PluginHost {
  /** Searched in this order. */
  readonly pluginDirs: readonly string[];
  readonly runner: Pick<Runner, "runProgram">;
}

export type CniCommand = "ADD" | "CHECK" | "DEL" | "STATUS" | "GC" | "VERSION";

/** One call of one plugin. */
export interface PluginCall {
  readonly command: CniCommand;
  /** Name of the plugin. */
  readonly type: string;
  /** Name of the network, for the words of a failure. */
  readonly network: string;
  /** Network configuration in JSON. */
  readonly input: string;
  /** For ADD, CHECK and DEL. */
  readonly attachment?: Attachment;
}

export interface PluginCallOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A plugin that is being replaced cannot be executed for a moment (ETXTBSY): libcni tries so often, so long. */
const busyTries = 6;
const busyPauseMs = 1000;

/**
 * Runs a plugin to its end and gives its standard output.
 * Rejects with a Fault that has the plugin's own words and names plugin, network and command: "not-found" when no directory has it,
 * "deadline" or "cancelled" when it was killed (with its children), "exhausted" when it printed more than 1 MiB,
 * "unavailable" when it asks to be tried later, "failed" otherwise.
 */
export async function callPlugin(host: PluginHost, call: PluginCall, options: PluginCallOptions): Promise<Buffer> {
  const path = await findPlugin(host, call.type);
  const startedAt = performance.now();
  let result: ProgramResult;
  try {
    const name = `CNI plugin ${call.type} ${call.command} of network ${call.network}`;
    result = await inStep(name, () => runWhenNotBusy(host, path, call, options));
  } catch (error) {
    throw runFault(call, error, performance.now() - startedAt);
  }
  if (result.exit.is === "exited" && result.exit.code === 0) return result.stdout;
  throw outcomeFault(call, result);
}

/** The path of a plugin's program. Rejects with Fault("not-found"), which names the directories. */
export async function findPlugin(host: PluginHost, type: string): Promise<string> {
  if (!isPluginName(type))
    throw new Fault("invalid", `${JSON.stringify(type.slice(0, 80))} is no name of a CNI plugin`);
  for (const directory of host.pluginDirs) {
    const path = join(directory, type);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile()) return path;
  }
  throw new Fault("not-found", `failed to find plugin ${JSON.stringify(type)} in path [${host.pluginDirs.join(" ")}]`);
}

async function runWhenNotBusy(
  { runner, pluginDirs }: PluginHost,
  path: string,
  call: PluginCall,
  { timeoutMs, signal }: PluginCallOptions,
): Promise<ProgramResult> {
  const run = { timeoutMs, signal, env: environmentOf(call, pluginDirs), input: call.input };
  for (let tries = 1; ; tries++) {
    try {
      return await runner.runProgram(path, [], run);
    } catch (error) {
      if (tries === busyTries || !isTextBusy(error)) throw error;
      await untilAborted(sleep(busyPauseMs), signal);
    }
  }
}

/** Nothing of the daemon's own environment but PATH: proxies, credentials and library paths are none of a plugin's business. */
function environmentOf(call: PluginCall, pluginDirs: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    CNI_COMMAND: call.command,
    CNI_PATH: pluginDirs.join(":"),
  };
  if (call.attachment !== undefined) {
    env.CNI_CONTAINERID = call.attachment.containerId;
    env.CNI_NETNS = call.attachment.netns ?? "";
    env.CNI_IFNAME = call.attachment.ifName;
    env.CNI_ARGS = call.attachment.args.map(([key, value]) => `${key}=${value}`).join(";");
  }
  // Plugins built against the first libraries check these before they look at the command.
  if (call.command === "VERSION") Object.assign(env, { CNI_NETNS: "dummy", CNI_IFNAME: "dummy", CNI_PATH: "dummy" });
  return env;
}

function isTextBusy(error: unknown): boolean {
  for (let inner = error, depth = 0; inner instanceof Error && depth < 5; inner = inner.cause, depth++) {
    if (errnoOf(inner) === "ETXTBSY" || /ETXTBSY|text file busy/i.test(inner.message)) return true;
  }
  return false;
}
