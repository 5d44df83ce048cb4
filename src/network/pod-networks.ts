import { mkdir } from "node:fs/promises";
import { deadline, Fault, KeyedLock, type Logger, withStep } from "../base/index.ts";
import { findProgram, runProgram } from "../host/index.ts";
import { Abandoned } from "./abandoned.ts";
import { attachTo, deleteTimeoutMs } from "./attach.ts";
import { attachmentOf, type PodNetworkIdentity } from "./attachment.ts";
import { ResultCache } from "./cache.ts";
import { networkOfEntry, type PodNetwork, podNetworkOf, resultOfEntry } from "./cached-network.ts";
import { NetworkCatalog } from "./catalog.ts";
import { askStatus } from "./chain.ts";
import { collectGarbage } from "./collect-garbage.ts";
import type { Network } from "./config.ts";
import { type DetachDeps, detachAll } from "./detach.ts";
import { endPlugins } from "./end-plugins.ts";
import { Gate } from "./gate.ts";
import type { PluginCallOptions, PluginHost } from "./plugin.ts";
import { PluginVersions } from "./plugin-versions.ts";
import { type NetworkStatus, Readiness } from "./readiness.ts";
import type { Runner } from "./runner.ts";
import { DirectoryChanges } from "./watch.ts";

export interface PodNetworksOptions {
  /** `network_dir`. Made (0755) when missing. */
  readonly confDir: string;
  /** `plugin_dirs`. Made (0755) when missing. */
  readonly pluginDirs: readonly string[];
  /** `cni_default_network`; "" for the first usable one by file name. */
  readonly defaultNetwork: string;
  /** Where results are written down, in `results/`: /var/lib/cni, shared with other runtimes. */
  readonly cacheDir: string;
  /** `cni_status_grace_period`; 0 (the default) means that readiness is never lost. */
  readonly statusGraceMs?: number;
  readonly log: Logger;
  readonly runner?: Runner;
}

/** The caller's own limit, and how long it takes at most. */
export interface AttachOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

const attachTimeoutMs = 5 * 60_000;
const statusTimeoutMs = 10_000;
const collectTimeoutMs = 30_000;

/** Pods' networks, by CNI plugins. `attach` and `detach` of one pod wait for each other; different pods do not. */
export interface PodNetworks {
  /** Reads the configuration, looks once whether the network is ready, and keeps watching. Rejects when a directory cannot be made. */
  start(): Promise<void>;
  /** Stops watching and ends `whenReady` of those who wait. What is under way goes on to its own deadline. */
  stop(): Promise<void>;
  /** Whether pods can be attached, from memory. */
  status(): NetworkStatus;
  /** Resolves when pods can be attached; no deadline but the signal's. Fault("unavailable") once stopped. */
  whenReady(signal?: AbortSignal): Promise<void>;
  /**
   * Attaches a pod to the default network. Without success nothing of it remains, or the Fault says what does.
   * At most five minutes unless `timeoutMs` says otherwise. Rejects with Fault("invalid") for an identity that cannot be told
   * to plugins, "unavailable" without a network, "deadline", "cancelled", or the plugin's own failure.
   */
  attach(pod: PodNetworkIdentity, options?: AttachOptions): Promise<PodNetwork>;
  /** Detaches a pod from all it is attached to; idempotent, and fine for a pod that was never attached. At most a minute. */
  detach(pod: PodNetworkIdentity, options?: AttachOptions): Promise<void>;
  /** Kills the plugins that a daemon which was killed has left at work for a pod. */
  endPlugins(pod: Pick<PodNetworkIdentity, "id">): Promise<void>;
  /** What `attach` answered, from the result cache; undefined when there is no usable result. Runs no plugin. */
  cached(pod: Pick<PodNetworkIdentity, "id">): Promise<PodNetwork | undefined>;
  /**
   * Notes that a pod goes although DEL has failed. It is tried again whenever another pod's ADD or DEL has just succeeded, and by the
   * collection of garbage after a restart.
   */
  abandon(pod: PodNetworkIdentity): void;
  /**
   * Releases what belongs to no pod, alone: no attach or detach meanwhile. At most 30 s. `pods` is asked once that is so.
   * Pods attached since `start` are never garbage, listed or not.
   */
  collectGarbage(pods: () => Iterable<Pick<PodNetworkIdentity, "id">>, options?: AttachOptions): Promise<void>;
}

export function createPodNetworks(options: PodNetworksOptions): PodNetworks {
  const { confDir, pluginDirs, log, runner = { findProgram, runProgram } } = options;
  const plugins: PluginHost = { pluginDirs, runner };
  const stopping = new AbortController();
  const versions = new PluginVersions(plugins);
  const { defaultNetwork } = options;
  const catalog = new NetworkCatalog({ confDir, defaultNetwork, versions, log, signal: stopping.signal });
  const deps: DetachDeps & { readonly catalog: NetworkCatalog } = {
    plugins,
    cache: new ResultCache(options.cacheDir),
    catalog,
    log,
  };
  const readiness = new Readiness({ look: (signal) => look(deps, signal), graceMs: options.statusGraceMs ?? 0, log });
  const changes = new DirectoryChanges({
    directories: [confDir, ...pluginDirs],
    onChange: () => void catalog.sync().then(() => readiness.hurry()),
    log,
  });
  const gate = new Gate();
  const pods = new KeyedLock<string>("the network of pod");
  const attachedHere = new Set<string>();

  /** Runs `work` for one pod: not during garbage collection, not beside other work for the same pod, not beyond the time. */
  async function forPod<T>(
    fullName: string,
    what: string,
    { signal, timeoutMs }: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number },
    work: (call: PluginCallOptions) => Promise<T>,
  ): Promise<T> {
    using limited = deadline(timeoutMs, `${what} pod ${fullName}`, signal);
    try {
      return await gate.shared(() => pods.with(fullName, () => work({ signal: limited, timeoutMs }), limited), limited);
    } catch (error) {
      throw withStep(`error ${what} pod ${fullName}`, error);
    }
  }

  async function detach(
    pod: PodNetworkIdentity,
    { signal, timeoutMs = deleteTimeoutMs }: AttachOptions = {},
  ): Promise<void> {
    await forPod(`${pod.namespace}_${pod.name}`, "removing", { signal, timeoutMs }, async (call) => {
      await detachAll(deps, pod, call);
      attachedHere.delete(pod.id);
    });
  }

  const abandoned = new Abandoned((pod) => detach(pod, { signal: stopping.signal }), log);

  /** Passes on what a plugin did; now that they work, it is time for what they did not do. */
  function done<T>(result: T): T {
    if (!stopping.signal.aborted) void abandoned.retry();
    return result;
  }

  return {
    async start() {
      for (const directory of [confDir, ...pluginDirs]) await makeDirectory(directory);
      await deps.cache.recover();
      changes.start();
      await catalog.sync();
      await readiness.start();
    },
    async stop() {
      changes.stop();
      stopping.abort(new Fault("cancelled", "the daemon stops"));
      await readiness.stop();
    },
    status: () => readiness.status,
    whenReady: (signal) => readiness.whenReady(signal),
    attach: (pod, { signal, timeoutMs = attachTimeoutMs } = {}) =>
      forPod(`${pod.namespace}_${pod.name}`, "adding", { signal, timeoutMs }, async (call) => {
        const attachment = attachmentOf(pod);
        if (pod.netns === undefined) throw new Fault("precondition", "it has no network namespace");
        const network = await currentDefault(catalog);
        attachedHere.add(pod.id);
        try {
          return await attachTo(deps, network, attachment, call);
        } catch (error) {
          attachedHere.delete(pod.id);
          throw error;
        }
      }).then(done),
    detach: (pod, options) => detach(pod, options).then(done),
    endPlugins: ({ id }) => endPlugins(id),
    cached: ({ id }) => cachedNetwork(deps.cache, id),
    abandon(pod) {
      abandoned.add(pod);
    },
    async collectGarbage(list, { signal, timeoutMs = collectTimeoutMs } = {}) {
      using limited = deadline(timeoutMs, "collecting CNI garbage", signal);
      await gate.exclusive(() => {
        const ids = new Set([...Array.from(list(), ({ id }) => id), ...attachedHere]);
        return collectGarbage(deps, ids, { signal: limited, timeoutMs });
      }, limited);
    },
  };
}

async function look({ plugins, catalog }: DetachDeps, signal: AbortSignal): Promise<void> {
  const network = catalog.defaultNetwork;
  if (network === undefined) throw new Fault("unavailable", catalog.missing);
  using limited = deadline(statusTimeoutMs, "asking the CNI plugins for their status", signal);
  await askStatus(plugins, network, { timeoutMs: statusTimeoutMs, signal: limited });
}

/** The default network; when there is none, after one more look at the directory, whose change we may not have been told yet. */
async function currentDefault(catalog: NetworkCatalog): Promise<Network> {
  if (catalog.defaultNetwork === undefined) await catalog.sync();
  const network = catalog.defaultNetwork;
  if (network === undefined) throw new Fault("unavailable", catalog.missing);
  return network;
}

async function cachedNetwork(cache: ResultCache, id: string): Promise<PodNetwork | undefined> {
  for (const entry of await cache.entriesOf(id)) {
    if (entry.is === "unreadable" || entry.network === "cni-loopback") continue;
    try {
      const { result } = resultOfEntry(entry, networkOfEntry(entry));
      if (result !== undefined) return podNetworkOf(entry.network, entry.attachment.ifName, result);
    } catch {
      // A damaged file says nothing; the pod's addresses are unknown then, and DEL will say so.
    }
  }
  return undefined;
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw withStep(`making directory ${path}`, error);
  }
}
