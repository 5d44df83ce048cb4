import { Fault, reasonOf } from "../base/index.ts";
import type { Attachment } from "./attachment.ts";
import type { Network, PluginConfig } from "./config.ts";
import { type JsonObject, parseJson } from "./json.ts";
import { type CniCommand, callPlugin, type PluginCall, type PluginCallOptions, type PluginHost } from "./plugin.ts";
import { outputFault } from "./plugin-fault.ts";
import { type CniResult, resultOf } from "./result.ts";
import { convertResult } from "./result-conversion.ts";
import { isAtLeast } from "./versions.ts";

/** Longest result of a plugin. */
const maxResultBytes = 1024 * 1024;

/** How ADD of a chain ended. `partial` is the result of the last plugin that succeeded: DEL does better with it than without. */
export type AddOutcome =
  | { readonly is: "added"; readonly result: CniResult }
  | { readonly is: "failed"; readonly error: unknown; readonly partial: CniResult | undefined };

/**
 * ADD: each plugin in order, each told the result of the one before it. Stops at the first failure.
 * Never rejects for a plugin's failure; what was made then is the caller's to delete.
 */
export async function addChain(
  host: PluginHost,
  network: Network,
  attachment: Attachment,
  options: PluginCallOptions,
): Promise<AddOutcome> {
  let result: CniResult | undefined;
  for (const plugin of network.plugins) {
    const call = callOf("ADD", network, plugin, attachment, result);
    try {
      const stdout = await callPlugin(host, call, options);
      result = parseResult(call, stdout, network);
    } catch (error) {
      return { is: "failed", error, partial: result };
    }
  }
  return { is: "added", result: result ?? resultOf({}, network.cniVersion) };
}

/** Whether the network's attachments are to be checked: CHECK came with 0.4.0, and an administrator may forbid it. */
export function hasCheck(network: Network): boolean {
  return isAtLeast(network.cniVersion, "0.4.0") && !network.disableCheck;
}

/** CHECK: each plugin in order, each told the result of the whole ADD. Rejects with the first failure. */
export async function checkChain(
  host: PluginHost,
  network: Network,
  attachment: Attachment,
  result: CniResult,
  options: PluginCallOptions,
): Promise<void> {
  for (const plugin of network.plugins) {
    await callPlugin(host, callOf("CHECK", network, plugin, attachment, result), options);
  }
}

/**
 * DEL: each plugin in reverse order, each told the result of ADD where it is known (since 0.4.0).
 * Stops at the first failure, as the specification has it: what is deleted later may be what the failed plugin still points to.
 * With `tryAll` it goes on (nothing else will come back for the rest) and rejects in the end with every failure.
 */
export async function deleteChain(
  host: PluginHost,
  network: Network,
  attachment: Attachment,
  result: CniResult | undefined,
  options: PluginCallOptions & { readonly tryAll?: boolean },
): Promise<void> {
  const told = isAtLeast(network.cniVersion, "0.4.0") ? result : undefined;
  const calls = network.plugins.toReversed().map((plugin) => callOf("DEL", network, plugin, attachment, told));
  if (options.tryAll) return callAll(host, calls, options);
  for (const call of calls) await callPlugin(host, call, options);
}

/** STATUS (since 1.1.0): rejects with the first plugin's reason not to be ready. Resolves at once for older networks. */
export async function askStatus(host: PluginHost, network: Network, options: PluginCallOptions): Promise<void> {
  if (!isAtLeast(network.cniVersion, "1.1.0")) return;
  for (const plugin of network.plugins) await callPlugin(host, callOf("STATUS", network, plugin), options);
}

/** Which attachments are not garbage: `containerID` and `ifname` of the specification. */
export interface ValidAttachment {
  readonly containerID: string;
  readonly ifname: string;
}

/** GC (since 1.1.0): every plugin releases what belongs to none of `valid`. Tries them all, rejects with every failure. */
export async function collectChain(
  host: PluginHost,
  network: Network,
  valid: readonly ValidAttachment[],
  options: PluginCallOptions,
): Promise<void> {
  if (!isAtLeast(network.cniVersion, "1.1.0") || network.disableGC) return;
  // The second key is what the specification called it by mistake (CNI issue 1101); plugins of that time read it.
  const more = { "cni.dev/valid-attachments": valid, "cni.dev/attachments": valid };
  const calls = network.plugins.map((plugin) => ({
    ...callOf("GC", network, plugin),
    input: inputOf(network, plugin, more),
  }));
  await callAll(host, calls, options);
}

async function callAll(host: PluginHost, calls: readonly PluginCall[], options: PluginCallOptions): Promise<void> {
  const failures: unknown[] = [];
  for (const call of calls) await callPlugin(host, call, options).catch((error: unknown) => failures.push(error));
  const [first] = failures;
  if (failures.length > 0) throw new Fault("failed", failures.map(reasonOf).join("; "), { cause: first });
}

function callOf(
  command: CniCommand,
  network: Network,
  plugin: PluginConfig,
  attachment?: Attachment,
  previous?: CniResult,
): PluginCall {
  const prevResult = previous === undefined ? {} : { prevResult: convertResult(previous, network.cniVersion).json };
  const runtimeConfig = attachment === undefined ? {} : runtimeConfigOf(plugin, attachment);
  const input = inputOf(network, plugin, { ...prevResult, ...runtimeConfig });
  return {
    command,
    type: plugin.type,
    network: network.name,
    input,
    ...(attachment === undefined ? {} : { attachment }),
  };
}

/** The plugin's configuration with the list's name and version, which replace its own, and the runtime's additions. */
function inputOf(network: Network, { config }: PluginConfig, more: JsonObject): string {
  return JSON.stringify({ ...config, name: network.name, cniVersion: network.cniVersion, ...more });
}

/** Those capability arguments that the plugin's configuration declares. */
function runtimeConfigOf({ capabilities }: PluginConfig, { capabilityArgs }: Attachment): JsonObject {
  const wanted = Object.entries(capabilityArgs).filter(([name]) => capabilities.includes(name));
  return wanted.length === 0 ? {} : { runtimeConfig: Object.fromEntries(wanted) };
}

function parseResult(call: PluginCall, stdout: Buffer, network: Network): CniResult {
  try {
    const result = resultOf(parseJson(stdout, "the output", maxResultBytes), network.cniVersion);
    return convertResult(result, network.cniVersion);
  } catch (error) {
    throw outputFault(call, stdout, error);
  }
}
