import { availableParallelism } from "node:os";
import { Flight, KeyedLock, type Logger, Places, reasonOf, systemClock } from "../base/index.ts";
import { createCgroupManager, detectCgroups } from "../cgroups/index.ts";
import { type Config, parseSysctl } from "../config/index.ts";
import { CdiDevices, HookDirectories, ImageMounts, removeContainer, SeLinux, Stopping } from "../containers/index.ts";
import { createSystemd, findProgram, NamespaceWorker, Relabeller, runProgram } from "../host/index.ts";
import { type ImageDeps, removeUsedAuth } from "../images/index.ts";
import { createHostPorts, createPodNetworks, noHostPorts, type PodNetworks } from "../network/index.ts";
import type { Metrics } from "../observe/index.ts";
import { includedGroups, makePinDirectories, type PodDeps, PodStatsSource, removePod } from "../pods/index.ts";
import { loadSeLinuxPolicy } from "../security/index.ts";
import { Containers, Creations, Events, Names, Pods } from "../state/index.ts";
import { openArtifactStore } from "../storage/index.ts";
import { readHostFacts } from "./host-facts.ts";
import { composeImages } from "./images.ts";
import { Live } from "./live.ts";
import { openNodeStore } from "./node-store.ts";

/** The daemon's parts, wired. */
export interface Parts {
  readonly pods: PodDeps;
  readonly images: ImageDeps;
  readonly networks: PodNetworks;
  readonly live: Live;
  /** How to put the parts away, in this order. */
  readonly stops: readonly (readonly [name: string, stop: () => Promise<void> | void])[];
}

const cniCacheDir = "/var/lib/cni";
const discardTimeoutMs = 10_000;
const leastExecStarts = 4;

/**
 * Builds the parts in the order of their dependencies. Rejects with the first that cannot be had. With `repairsStore`, a store that cannot
 * be opened for its damage is wiped.
 */
export async function compose(
  config: Config,
  {
    repairsStore,
    metrics,
    log,
  }: {
    readonly repairsStore: boolean;
    readonly metrics: Metrics | undefined;
    readonly log: Logger;
  },
): Promise<Parts> {
  const driver = cgroupDriver(config);
  const systemd = driver === "systemd" ? createSystemd() : undefined;
  const cgroups = createCgroupManager(driver, await detectCgroups(), {
    log,
    ...(systemd === undefined ? {} : { systemd }),
  });
  const host = await readHostFacts(cgroups);
  warnOfMissingRights(host.boundingCapabilities, log);
  const hooks = new HookDirectories(config.runtime.hooksDir, log);
  await hooks.check();
  const live = await Live.start(config, { log, kernelVersion: host.kernelVersion });
  const store = await openNodeStore(config, { repairs: repairsStore, log });
  const artifacts = await openArtifactStore({
    graphRoot: store.graphRoot,
    additional: config.runtime.additionalArtifactStores,
    log,
  });
  const containerTable = new Containers();
  const imageMounts = new ImageMounts({ store, containers: containerTable, log });
  await removeUsedAuth(config.image.namespacedAuthDir);
  const news = metrics && { news: metrics };
  const images = composeImages(live, { store, artifacts, users: imageMounts, log, ...news });
  const networks = createPodNetworks({
    confDir: config.network.networkDir,
    pluginDirs: config.network.pluginDirs,
    defaultNetwork: config.network.cniDefaultNetwork,
    cacheDir: cniCacheDir,
    statusGraceMs: config.network.cniStatusGracePeriodMs,
    log,
  });
  const hostPorts = config.runtime.disableHostportMapping
    ? noHostPorts
    : await createHostPorts({ runner: { runProgram, findProgram }, log });
  await makePinDirectories(config.runtime.namespacesDir);
  const namespaces = await NamespaceWorker.start();
  const events = new Events((event) => {
    metrics?.eventDropped();
    log.error(`GenerateCRIEvent: failed to generate event ${event.type} for container ${event.containerId}`);
  });
  const creations: Creations = new Creations({
    what: "container",
    log,
    onStalled: (stage) => metrics?.stalled(stage),
    discard: async (id) => {
      const container = pods.containers.get(id);
      if (container !== undefined) await removeContainer(pods, container, { timeoutMs: discardTimeoutMs });
    },
  });
  const podCreations: Creations = new Creations({
    what: "sandbox",
    log,
    onStalled: (stage) => metrics?.stalled(stage),
    discard: async (id) => {
      const pod = pods.pods.get(id);
      if (pod !== undefined) await removePod(pods, pod, { timeoutMs: discardTimeoutMs });
    },
  });
  const clock = systemClock();
  const podTable = new Pods();
  const stats = new PodStatsSource({
    pods: podTable,
    containers: containerTable,
    creations,
    cgroups,
    namespaces,
    store,
    collectionPeriodMs: config.stats.collectionPeriod * 1000,
    metricGroups: includedGroups(config.stats.includedPodMetrics),
    clock,
    log,
  });
  stats.start();
  const relabeller = new Relabeller();
  const isLabelling = config.runtime.selinux && host.selinux;
  const selinux = new SeLinux({
    pods: podTable,
    relabeller,
    hostNetworkDisables: config.runtime.hostnetworkDisableSelinux,
    ...(isLabelling ? { policy: await loadSeLinuxPolicy() } : {}),
  });
  if (config.runtime.selinux && !host.selinux)
    log.warn("selinux is set, but this kernel has none: nothing is labelled");
  const pods: PodDeps = {
    containers: containerTable,
    pods: podTable,
    names: new Names(),
    creations,
    podCreations,
    podStops: new Flight("stopping pod"),
    events,
    podLocks: new KeyedLock("pod"),
    containerLocks: new KeyedLock("container"),
    stopping: new Stopping(log),
    execStarts: new Places(Math.max(leastExecStarts, availableParallelism())),
    store,
    images,
    imageMounts,
    hooks,
    cdi: new CdiDevices(log),
    selinux,
    cgroups,
    handlers: live.handlers,
    host,
    get seccompProfiles() {
      return live.current.seccompProfiles;
    },
    networks,
    hostPorts,
    namespaces,
    stats,
    get options() {
      return live.current.options;
    },
    podOptions: podOptions(live),
    clock,
    log,
  };
  return {
    pods,
    images,
    networks,
    live,
    stops: [
      ["statistics", () => stats.stop()],
      ["creations", () => creations.stop()],
      ["pod creations", () => podCreations.stop()],
      ["the network watcher", () => networks.stop()],
      ["the relabelling worker", () => relabeller.stop()],
      ["the namespace worker", () => namespaces.stop()],
      ["the registry client", () => images.registry.close()],
      ["the store", () => store.close()],
      ["the connection to systemd", () => systemd?.close()],
    ],
  };
}

/** Puts the parts away. What fails is logged, and the next one follows. */
export async function stopParts(parts: Parts, log: Logger): Promise<void> {
  for (const [name, stop] of parts.stops) {
    try {
      await stop();
    } catch (error) {
      log.error(`stopping ${name} failed`, { error: reasonOf(error) });
    }
  }
}

function cgroupDriver(config: Config): "systemd" | "cgroupfs" {
  return config.runtime.cgroupManager === "cgroupfs" ? "cgroupfs" : "systemd";
}

function podOptions(live: Live): PodDeps["podOptions"] {
  const { config } = live.current;
  return {
    dropInfra: config.runtime.dropInfraCtr,
    pauseImage: () => live.current.config.image.pauseImage,
    pauseImageAuthFile: () => live.current.config.image.pauseImageAuthFile,
    pauseCommand: () => live.current.config.image.pauseCommand,
    defaultSysctls: config.runtime.defaultSysctls.map(parseSysctl).map(({ key, value }) => [key, value]),
    podEvents: config.runtime.enablePodEvents,
  };
}

/** Nested hosts often withhold this one; what needs it is then left out of every container (docs/differences.md). */
function warnOfMissingRights(bounding: ReadonlySet<string>, log: Logger): void {
  if (bounding.has("CAP_SYS_RESOURCE")) return;
  log.warn(
    "this host withholds CAP_SYS_RESOURCE: oom_score_adj is not lowered, hard limits are not raised, and no container gets it",
  );
}
