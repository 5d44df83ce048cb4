import { stat } from "node:fs/promises";
import { deadline, Fault, Flight, isFault, withStep } from "../base/index.ts";
import { jsonText, jsonTexts } from "../oci/index.ts";
import type { Network } from "./config.ts";
import { parseJson } from "./json.ts";
import { callPlugin, findPlugin, type PluginCall, type PluginHost } from "./plugin.ts";
import { outputFault } from "./plugin-fault.ts";
import { currentCniVersion } from "./versions.ts";

const versionTimeoutMs = 10_000;

/** What plugins answered to VERSION, remembered while their program files are the same. */
export class PluginVersions {
  readonly #host: PluginHost;
  readonly #known = new Map<string, { readonly file: string; readonly versions: readonly string[] }>();
  readonly #asking = new Flight<string, readonly string[]>();

  constructor(host: PluginHost) {
    this.#host = host;
  }

  /**
   * The network in the newest version that its configuration allows and all its plugins speak.
   * Rejects with a Fault that names the plugin which is missing, does not answer, or speaks none of them.
   */
  async settle(network: Network, signal: AbortSignal): Promise<Network> {
    let versions = network.versions;
    for (const { type } of network.plugins) {
      const spoken = await this.#versionsOf(type, signal);
      versions = versions.filter((version) => spoken.includes(version));
      const [newest] = versions;
      if (newest === undefined) {
        const wanted = network.versions.map((version) => JSON.stringify(version)).join(", ");
        throw new Fault(
          "precondition",
          `plugin ${JSON.stringify(type)} does not support config version ${wanted} (it speaks ${spoken.join(", ")})`,
        );
      }
    }
    return { ...network, cniVersion: versions[0] ?? network.cniVersion };
  }

  async #versionsOf(type: string, signal: AbortSignal): Promise<readonly string[]> {
    const path = await findPlugin(this.#host, type);
    const file = await identityOf(path);
    const known = this.#known.get(path);
    if (known?.file === file) return known.versions;
    const versions = await this.#asking.join(`${path} ${file}`, () => this.#ask(type, signal));
    this.#known.set(path, { file, versions });
    return versions;
  }

  async #ask(type: string, signal: AbortSignal): Promise<readonly string[]> {
    const call: PluginCall = {
      command: "VERSION",
      type,
      network: "",
      input: JSON.stringify({ cniVersion: currentCniVersion }),
    };
    using limited = deadline(versionTimeoutMs, `asking plugin ${JSON.stringify(type)} for its versions`, signal);
    try {
      const stdout = await callPlugin(this.#host, call, { timeoutMs: versionTimeoutMs, signal: limited });
      return parseVersions(call, stdout);
    } catch (error) {
      // Plugins older than the command speak the first version.
      if (isFault(error, "failed") && /unknown CNI_COMMAND: VERSION/.test(error.message)) return ["0.1.0"];
      throw error;
    }
  }
}

function parseVersions(call: PluginCall, stdout: Buffer): readonly string[] {
  try {
    const answer = parseJson(stdout, "the answer", 64 * 1024);
    const stated = jsonText(answer, "cniVersion", "the answer") ?? "";
    const versions = jsonTexts(answer, "supportedVersions", "the answer", 64);
    if (versions.length > 0) return versions;
    if (stated === "0.2.0") return ["0.1.0", "0.2.0"];
    throw new Fault("invalid", "it names no versions");
  } catch (error) {
    throw outputFault(call, stdout, error);
  }
}

async function identityOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(":");
  } catch (error) {
    throw withStep(`looking at plugin ${path}`, error);
  }
}
