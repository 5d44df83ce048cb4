import { type Logger, reasonOf } from "../base/index.ts";
import type { Network } from "./config.ts";
import { type LoadedNetwork, type LoadProblem, loadNetworks } from "./load.ts";
import type { PluginVersions } from "./plugin-versions.ts";

export interface CatalogOptions {
  readonly confDir: string;
  /** Name of the default network; "" for the first usable one by file name. */
  readonly defaultNetwork: string;
  readonly versions: PluginVersions;
  readonly log: Logger;
  /** Ends what a sync waits for. */
  readonly signal: AbortSignal;
}

/** The networks that can be used now: configured, with all plugins there. A reading copy of the configuration directory. */
export class NetworkCatalog {
  readonly #options: CatalogOptions;
  #networks: ReadonlyMap<string, Network> = new Map();
  #first: string | undefined;
  #problems: readonly LoadProblem[] = [];
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(options: CatalogOptions) {
    this.#options = options;
  }

  /** The network that pods are attached to; undefined while there is none. */
  get defaultNetwork(): Network | undefined {
    const name = this.#options.defaultNetwork || this.#first;
    return name === undefined ? undefined : this.#networks.get(name);
  }

  get(name: string): Network | undefined {
    return this.#networks.get(name);
  }

  get networks(): readonly Network[] {
    return [...this.#networks.values()];
  }

  /** Why there is no default network, in the words that the kubelet shows. */
  get missing(): string {
    const [problem] = this.#problems;
    const words = `no CNI configuration file in ${this.#options.confDir}. Has your network provider started?`;
    return problem === undefined ? words : `${words} (${problem.file} cannot be used: ${problem.why})`;
  }

  /**
   * Reads the directory again and asks plugins that are new or changed for their versions. Never rejects: what was known stays
   * when the directory cannot be read. What changed before the call is seen when it resolves, however many callers there are.
   */
  sync(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    const next = this.#running.then(() => {
      this.#next = undefined;
      this.#running = this.#sync();
      return this.#running;
    });
    this.#next = next;
    return next;
  }

  async #sync(): Promise<void> {
    const { log, confDir } = this.#options;
    try {
      const { networks, problems } = await loadNetworks(confDir);
      const settled = await Promise.all(networks.map((loaded) => this.#settle(loaded)));
      this.#replace(
        settled.filter((entry) => "network" in entry),
        [...problems, ...settled.filter((entry) => "why" in entry)],
      );
    } catch (error) {
      log.error("CNI configuration could not be read", { dir: confDir, reason: reasonOf(error) });
    }
  }

  async #settle({ file, network }: LoadedNetwork): Promise<LoadedNetwork | LoadProblem> {
    if (network.plugins.length === 0) return { file, why: "the network has no plugins" };
    try {
      return { file, network: await this.#options.versions.settle(network, this.#options.signal) };
    } catch (error) {
      return { file, why: reasonOf(error) };
    }
  }

  #replace(loaded: readonly LoadedNetwork[], problems: readonly LoadProblem[]): void {
    const { log } = this.#options;
    const networks = new Map<string, Network>();
    const files = new Map<string, string>();
    const all = [...problems];
    for (const { file, network } of loaded) {
      const earlier = files.get(network.name);
      if (earlier !== undefined)
        all.push({ file, why: `network ${JSON.stringify(network.name)} is that of ${earlier}` });
      else {
        files.set(network.name, file);
        networks.set(network.name, network);
      }
    }
    for (const { file, why } of all) {
      if (this.#problems.some((known) => known.file === file && known.why === why)) continue;
      log.warn("CNI configuration file is not used", { file, reason: why });
    }
    for (const [name, { cniVersion, plugins }] of networks) {
      if (this.#networks.get(name)?.cniVersion === cniVersion) continue;
      log.info("found CNI network", { network: name, cniVersion, type: plugins[0]?.type, file: files.get(name) });
    }
    const before = this.defaultNetwork?.name;
    this.#networks = networks;
    this.#first = loaded[0]?.network.name;
    this.#problems = all;
    const now = this.defaultNetwork?.name;
    if (now !== before) log.info("default CNI network", { network: now ?? "none", before: before ?? "none" });
  }
}
