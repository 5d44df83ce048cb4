import { readdir } from "node:fs/promises";
import { extname, join } from "node:path";
import { errnoOf, reasonOf, withStep } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import {
  maxConfigFileBytes,
  type Network,
  type PluginConfig,
  parseNetworkList,
  parsePluginFile,
  parseSingleNetwork,
  withPlugins,
} from "./config.ts";

/** Most configuration files that are looked at. */
const maxFiles = 256;

/** A network and the file that it comes from. */
export interface LoadedNetwork {
  readonly file: string;
  readonly network: Network;
}

/** A file that makes no network, and why. */
export interface LoadProblem {
  readonly file: string;
  readonly why: string;
}

/**
 * Reads the networks of a directory: `.conflist`, and of old `.conf` and `.json`, in the order of their names.
 * A file that cannot be used is a problem and nothing more; one that vanishes meanwhile was never there.
 * A missing directory is an empty one. Rejects when it cannot be read.
 */
export async function loadNetworks(
  directory: string,
): Promise<{ readonly networks: readonly LoadedNetwork[]; readonly problems: readonly LoadProblem[] }> {
  const files = await filesIn(directory, [".conf", ".conflist", ".json"]);
  const networks: LoadedNetwork[] = [];
  const problems: LoadProblem[] = [];
  for (const file of files.slice(0, maxFiles)) {
    try {
      networks.push({ file, network: await loadNetwork(directory, file) });
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") problems.push({ file, why: reasonOf(error) });
    }
  }
  for (const file of files.slice(maxFiles)) problems.push({ file, why: `only the first ${maxFiles} files are read` });
  return { networks, problems };
}

async function loadNetwork(directory: string, file: string): Promise<Network> {
  const bytes = await readBounded(join(directory, file), maxConfigFileBytes);
  if (extname(file) !== ".conflist") return parseSingleNetwork(bytes, file, file);
  const network = parseNetworkList(bytes, file);
  return network.loadsPluginDirectory ? withPlugins(network, await pluginsIn(join(directory, network.name))) : network;
}

/** CNI 1.1: `<directory>/<network>/*.conf` are further plugins of the network, in the order of their names. */
async function pluginsIn(directory: string): Promise<readonly PluginConfig[]> {
  const plugins: PluginConfig[] = [];
  for (const file of (await filesIn(directory, [".conf"])).slice(0, maxFiles)) {
    const path = join(directory, file);
    plugins.push(parsePluginFile(await readBounded(path, maxConfigFileBytes), path));
  }
  return plugins;
}

async function filesIn(directory: string, extensions: readonly string[]): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory() && extensions.includes(extname(entry.name)))
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw withStep(`reading the CNI configuration in ${directory}`, error);
  }
}
