import { Fault } from "../base/index.ts";
import { jsonField, jsonList, jsonObject, jsonText, jsonTexts } from "../oci/index.ts";
import { type JsonObject, parseJson } from "./json.ts";
import { isCniName, isPluginName } from "./names.ts";
import { type CniVersion, isCniVersion, newestFirst, parseCniVersion } from "./versions.ts";

/** Longest configuration file that is read. */
export const maxConfigFileBytes = 1024 * 1024;

/** Longest list, with the plugins of its directory put into it. */
const maxListBytes = 4 * 1024 * 1024;

/** Most plugins that a network may chain. */
const maxPlugins = 64;

/** One plugin of a network: what goes to its standard input, before the runtime's additions. */
export interface PluginConfig {
  /** Name of the program. */
  readonly type: string;
  /** Names of the capability arguments that it asks for. */
  readonly capabilities: readonly string[];
  /** Every key as the file has it. */
  readonly config: JsonObject;
}

/** A network: its plugins in the order of ADD, and how they are spoken to. */
export interface Network {
  readonly name: string;
  /** The version in which plugins are spoken to: the newest of `versions` until the plugins were asked. */
  readonly cniVersion: CniVersion;
  /** Versions that the configuration allows, newest first; never empty. */
  readonly versions: readonly CniVersion[];
  readonly plugins: readonly PluginConfig[];
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  /** The configuration as a list in JSON, for the result cache: DEL must know what ADD did. */
  readonly bytes: Uint8Array;
  /** Plugin configurations of `<directory>/<name>/` belong to this network too (CNI 1.1). */
  readonly loadsPluginDirectory: boolean;
}

/**
 * A network list (`.conflist`, CNI specification section 1). Unknown keys are kept.
 * `plugins` is empty only when they are all in the network's directory. Throws Fault("invalid") or Fault("exhausted").
 */
export function parseNetworkList(bytes: Uint8Array, what: string): Network {
  const list = parseJson(bytes, what, maxListBytes);
  const onlyInlined = flag(list, "loadOnlyInlinedPlugins", what);
  const plugins = jsonList(list, "plugins", what, maxPlugins).map((entry, index) =>
    parsePlugin(jsonObject(entry, `${what}: plugin ${index}`), `${what}: plugin ${index}`),
  );
  if (plugins.length === 0 && (onlyInlined || jsonField(list, "plugins") !== undefined)) {
    throw new Fault("invalid", `${what}: "plugins" names no plugin`);
  }
  const versions = versionsOf(list, what);
  return {
    name: checkedName(jsonText(list, "name", what), what),
    cniVersion: versions[0],
    versions,
    plugins,
    disableCheck: flag(list, "disableCheck", what),
    disableGC: flag(list, "disableGC", what),
    bytes,
    loadsPluginDirectory: !onlyInlined,
  };
}

/** A single plugin's configuration (`.conf`, `.json`; before CNI 1.0) as a list of one. `name` is for one that has none. */
export function parseSingleNetwork(bytes: Uint8Array, what: string, name: string): Network {
  const config = parseJson(bytes, what, maxListBytes);
  if (jsonField(config, "type") === undefined && jsonField(config, "plugins") !== undefined) {
    throw new Fault("invalid", `${what}: no "type" but "plugins": a list of plugins belongs into a .conflist file`);
  }
  const stated = jsonText(config, "name", what) ?? "";
  const list = { name: stated === "" ? name : stated, cniVersion: jsonText(config, "cniVersion", what) ?? "" };
  const wrapped = Buffer.from(JSON.stringify({ ...list, plugins: [config] }));
  return { ...parseNetworkList(wrapped, what), loadsPluginDirectory: false };
}

/** One plugin's configuration, from a list or from a file of a network's directory. */
export function parsePluginFile(bytes: Uint8Array, what: string): PluginConfig {
  return parsePlugin(parseJson(bytes, what, maxListBytes), what);
}

/** The network with the plugins of its directory after its own. `bytes` then holds them all, so that DEL finds them in the cache. */
export function withPlugins(network: Network, more: readonly PluginConfig[]): Network {
  if (more.length === 0) return network;
  const plugins = [...network.plugins, ...more];
  const list = parseJson(network.bytes, network.name, maxListBytes);
  const whole = { ...list, plugins: plugins.map(({ config }) => config), loadOnlyInlinedPlugins: true };
  return { ...network, plugins, bytes: Buffer.from(JSON.stringify(whole)) };
}

function parsePlugin(config: JsonObject, what: string): PluginConfig {
  const type = jsonText(config, "type", what);
  if (type === undefined || type === "") throw new Fault("invalid", `${what}: "type" is missing`);
  if (!isPluginName(type))
    throw new Fault("invalid", `${what}: "type" ${JSON.stringify(type)} is no name of a program`);
  const capabilities: string[] = [];
  for (const [name, wanted] of Object.entries(
    jsonObject(jsonField(config, "capabilities") ?? {}, `${what}: capabilities`),
  )) {
    if (typeof wanted !== "boolean") {
      throw new Fault("invalid", `${what}: capability ${JSON.stringify(name)} is neither true nor false`);
    }
    if (wanted) capabilities.push(name);
  }
  return { type, capabilities, config };
}

function versionsOf(list: JsonObject, what: string): readonly [CniVersion, ...CniVersion[]] {
  const stated = jsonText(list, "cniVersion", what) ?? "";
  const offered = jsonTexts(list, "cniVersions", what, 64);
  const [newest, ...others] = newestFirst([...offered, stated]);
  if (newest !== undefined) return [newest, ...others];
  const unknown = [...offered, stated].find((version) => version !== "" && !isCniVersion(version)) ?? "";
  return [parseCniVersion(unknown, what)];
}

function checkedName(name: string | undefined, what: string): string {
  if (name === undefined || name === "") throw new Fault("invalid", `${what}: "name" is missing`);
  if (isCniName(name)) return name;
  const shown = JSON.stringify(name.slice(0, 80));
  throw new Fault("invalid", `${what}: the network's name ${shown} is not letters, digits, "_", "." and "-" alone`);
}

function flag(list: JsonObject, key: string, what: string): boolean {
  const value = jsonField(list, key) ?? false;
  if (typeof value === "boolean") return value;
  const word = typeof value === "string" ? value.toLowerCase() : undefined;
  if (word === "true" || word === "false") return word === "true";
  throw new Fault("invalid", `${what}: "${key}" is neither true nor false`);
}
