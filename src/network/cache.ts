import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault, reasonOf, withStep } from "../base/index.ts";
import { readBounded, removeUnfinishedWrites, writeFileAtomic } from "../host/index.ts";
import { jsonField, jsonList, jsonObject, jsonText } from "../oci/index.ts";
import type { Attachment } from "./attachment.ts";
import type { Network } from "./config.ts";
import { type JsonObject, parseJson } from "./json.ts";
import { checkArgument, isCniName, isInterfaceName } from "./names.ts";
import type { CniResult } from "./result.ts";

/** Configuration, result and annotations together. */
const maxEntryBytes = 16 * 1024 * 1024;

const kind = "cniCacheV1";

/** An attachment as ADD left it on disk; `why` says what is wrong with a file of which only the name could be used. */
export type CacheEntry =
  | {
      readonly is: "readable";
      readonly file: string;
      readonly network: string;
      readonly attachment: Attachment;
      /** The network's configuration as it was then: a list, or a single plugin's from old times. */
      readonly config: Uint8Array;
      readonly result: JsonObject | undefined;
    }
  | {
      readonly is: "unreadable";
      readonly file: string;
      readonly network: string;
      readonly containerId: string;
      readonly ifName: string;
      readonly why: string;
    };

/**
 * The results of ADD in `<directory>/results`, in libcni's format, so that CRI-O finds what was attached here and the reverse:
 * one file `<network>-<container id>-<interface>` for each attachment.
 */
export class ResultCache {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = join(directory, "results");
  }

  /** Writes the attachment down, durably: DEL after a power failure needs it. */
  async put(network: Network, attachment: Attachment, result: CniResult): Promise<void> {
    const entry = {
      kind,
      containerId: attachment.containerId,
      config: Buffer.from(network.bytes).toString("base64"),
      ifName: attachment.ifName,
      networkName: network.name,
      ...(attachment.netns === undefined ? {} : { netns: attachment.netns }),
      cniArgs: attachment.args,
      ...(Object.keys(attachment.capabilityArgs).length === 0 ? {} : { capabilityArgs: attachment.capabilityArgs }),
      result: result.json,
    };
    const file = `${network.name}-${attachment.containerId}-${attachment.ifName}`;
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeFileAtomic(join(this.#directory, file), JSON.stringify(entry), { mode: 0o600, durable: true });
    } catch (error) {
      throw withStep(`writing the CNI result ${join(this.#directory, file)}`, error);
    }
  }

  /** Removes what a daemon that was killed was writing. */
  async recover(): Promise<void> {
    await removeUnfinishedWrites(this.#directory);
  }

  /** The attachments of one pod, by file name. Rejects only when the directory cannot be read. */
  async entriesOf(containerId: string): Promise<readonly CacheEntry[]> {
    if (!isCniName(containerId)) return [];
    const files = (await this.#files()).filter((file) => partsOf(file, containerId) !== undefined);
    const entries = await Promise.all(files.map((file) => this.#read(file, containerId)));
    return entries.filter((entry) => entry !== undefined);
  }

  /** Every readable attachment, of whatever runtime. */
  async *all(): AsyncGenerator<CacheEntry & { readonly is: "readable" }> {
    for (const file of await this.#files()) {
      const entry = await this.#read(file, undefined);
      if (entry?.is === "readable") yield entry;
    }
  }

  /** Forgets an attachment. Fine when it is gone already. */
  async delete(entry: CacheEntry): Promise<void> {
    await rm(join(this.#directory, entry.file), { force: true });
  }

  /** Removes every file of a pod, whatever is in it. */
  async forget(containerId: string): Promise<void> {
    if (!isCniName(containerId)) return;
    for (const file of await this.#files()) {
      if (partsOf(file, containerId) !== undefined) await rm(join(this.#directory, file), { force: true });
    }
  }

  async #files(): Promise<readonly string[]> {
    try {
      return (await readdir(this.#directory)).filter((name) => !name.startsWith(".")).sort();
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw withStep("reading the CNI result cache", error);
    }
  }

  async #read(file: string, containerId: string | undefined): Promise<CacheEntry | undefined> {
    try {
      const entry = parseEntry(await readBounded(join(this.#directory, file), maxEntryBytes), file);
      // A network's name may hold what looks like the id of another pod: the file itself decides whose it is.
      return containerId === undefined || entry.attachment.containerId === containerId ? entry : undefined;
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || containerId === undefined) return undefined;
      const parts = partsOf(file, containerId);
      return parts === undefined ? undefined : { is: "unreadable", file, containerId, why: reasonOf(error), ...parts };
    }
  }
}

/** Network and interface of a file name that can be of `containerId`. */
function partsOf(file: string, containerId: string): { readonly network: string; readonly ifName: string } | undefined {
  const middle = `-${containerId}-`;
  const at = file.indexOf(middle);
  const parts = { network: file.slice(0, Math.max(at, 0)), ifName: file.slice(at + middle.length) };
  return at > 0 && isCniName(parts.network) && isInterfaceName(parts.ifName) ? parts : undefined;
}

function parseEntry(bytes: Uint8Array, file: string): CacheEntry & { readonly is: "readable" } {
  const entry = parseJson(bytes, file, maxEntryBytes);
  if (jsonText(entry, "kind", file) !== kind) throw new Fault("invalid", `${file}: its kind is not ${kind}`);
  const text = (key: string) => jsonText(entry, key, file) ?? "";
  const [network, containerId, ifName, netns] = [
    text("networkName"),
    text("containerId"),
    text("ifName"),
    text("netns"),
  ];
  if (!isCniName(containerId) || !isInterfaceName(ifName) || `${network}-${containerId}-${ifName}` !== file) {
    throw new Fault("invalid", `${file}: it says that it is of ${JSON.stringify([network, containerId, ifName])}`);
  }
  const result = jsonField(entry, "result");
  return {
    is: "readable",
    file,
    network,
    config: Buffer.from(text("config"), "base64"),
    attachment: {
      containerId,
      ifName,
      netns: netns === "" ? undefined : netns,
      args: jsonList(entry, "cniArgs", file, 256).map((pair) => argumentOf(pair, file)),
      capabilityArgs: jsonObject(jsonField(entry, "capabilityArgs") ?? {}, `${file}: capabilityArgs`),
    },
    result: result === undefined ? undefined : jsonObject(result, `${file}: result`),
  };
}

function argumentOf(pair: unknown, file: string): readonly [string, string] {
  const [key, value, ...rest]: readonly unknown[] = Array.isArray(pair) ? pair : [];
  if (typeof key !== "string" || typeof value !== "string" || rest.length > 0) {
    throw new Fault("invalid", `${file}: cniArgs are not pairs of strings`);
  }
  checkArgument("a cached argument's name", key);
  checkArgument(key, value);
  return [key, value];
}
