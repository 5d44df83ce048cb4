import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { type Logger, Operations, reasonOf } from "../base/index.ts";
import type { Config, VersionInfo } from "../config/index.ts";
import { type CriDeps, CriServer, imageHandlers, runtimeHandlers, statusOverSocket } from "../cri/index.ts";
import { becomeSubreaper } from "../host/index.ts";
import { countContainerEnds, inspectEndpoints } from "../observe/index.ts";
import { loadAll, type PodDeps } from "../pods/index.ts";
import { removeStaleExecDirectories } from "../runtime/index.ts";
import { execDirectory } from "./container-options.ts";
import { answerDebugSignals } from "./debug-signals.ts";
import { ExitMonitor } from "./exit-monitor.ts";
import { registriesFiles } from "./images.ts";
import { composeInspection } from "./inspection.ts";
import { compose, type Parts, stopParts } from "./parts.ts";
import { type ReloadSource, reloadOnHangup } from "./reload.ts";
import { repairStore } from "./repair-store.ts";
import { tellServiceManager } from "./service-manager.ts";
import { noteStart, noteStop, readLastEnd, shutdownFiles } from "./shutdown-files.ts";
import { composeStreaming } from "./streaming.ts";
import { composeMetrics, composeMetricsServer, composeTracing } from "./telemetry.ts";
import { watchRegistries } from "./watch-registries.ts";
import { startWatchdog } from "./watchdog.ts";
import { wipeStale } from "./wipe-stale.ts";

export interface DaemonOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly version: VersionInfo;
  readonly reload: ReloadSource;
  /** Ends the daemon; containers go on. The process' SIGTERM and SIGINT do so besides. */
  readonly signal?: AbortSignal;
}

/**
 * Runs the daemon until it is told to stop: builds its parts, takes up what the store has, serves CRI, and puts everything away in
 * the reverse order. Rejects when it cannot start, naming the part. Containers are never touched by starting or stopping.
 */
export async function runDaemon({ config, logger: log, version, reload, signal }: DaemonOptions): Promise<void> {
  process.title = "crio";
  process.umask(0o022);
  becomeSubreaper();
  using _debug = answerDebugSignals(log);
  const { profileCpu, profileMem } = config.invocation;
  await using _profiles =
    profileCpu === "" && profileMem === ""
      ? undefined
      : await (await import("./profiles.ts")).startProfiles({ cpuFile: profileCpu, heapFile: profileMem, log });
  const stopping = stopSignal(signal, log);
  log.info(`Starting CRI-O, version: ${version.version}`, { platform: version.platform, runtime: version.goVersion });
  const files = shutdownFiles(config, version.version);
  const lastEnd = await readLastEnd(files);
  if (lastEnd.isUnclean) log.warn("the last daemon ended without having put everything away");
  const repairsStore = lastEnd.isUnclean && config.crio.internalRepair;
  const operations = new Operations();
  const metrics = await composeMetrics(config, { operations, parts: () => parts });
  const parts: Parts = await compose(config, { repairsStore, metrics, log });
  const { pods } = parts;
  const monitor = new ExitMonitor(pods, operations);
  const streaming = await composeStreaming(config, pods, log);
  const cri: CriDeps = {
    pods,
    images: parts.images,
    streaming,
    runtimeVersion: version.version,
    runtimeConfig: () => parts.live.current.config.runtime,
  };
  const tracing = composeTracing(config, operations, log);
  const inspection = composeInspection(parts, operations, log);
  const server = new CriServer({
    path: config.api.listen,
    maxSendBytes: config.api.grpcMaxSendMsgSize,
    maxReceiveBytes: config.api.grpcMaxRecvMsgSize,
    runtime: runtimeHandlers(cri),
    image: imageHandlers(cri),
    http: inspectEndpoints(inspection),
    operations,
    ...(tracing && { traceOf: tracing.traceOf }),
    ...(metrics && { onCall: (report) => metrics.called(report) }),
    log,
  });
  const metricsServer = metrics && composeMetricsServer(config, metrics, log);
  const ending = new AbortController();
  try {
    await prepareDirectories(config);
    for (const parent of [tmpdir(), execDirectory(config.runtime.containerExitsDir)]) {
      await removeStaleExecDirectories(parent).catch((error: unknown) => {
        log.warn("what execs of a daemon that was killed have left stays", { error: reasonOf(error) });
      });
    }
    await parts.networks.start();
    const report = await loadAll(pods);
    log.info("took up what the store has", { ...report });
    if (repairsStore) {
      await repairStore(pods).catch((error: unknown) => {
        log.error('the storage directory cannot be checked; "crio check" says more', { error: reasonOf(error) });
      });
    }
    if (config.crio.internalWipe) await wipeStale(pods, lastEnd, config.crio.versionFilePersist !== "");
    if (report.failed > 0)
      log.warn("leaving ports and networks of unknown pods alone: some pods could not be taken up");
    else
      await pods.hostPorts.keepOnly(
        pods.pods.list().map(({ record }) => ({ id: record.id, mappings: record.portMappings })),
      );
    if (report.failed === 0) void collectNetworkGarbage(pods, log);
    await noteStart(files);
    const watching = monitor.run();
    await streaming.start();
    await metricsServer?.start();
    if (metrics !== undefined) void countContainerEnds(pods, metrics, ending.signal);
    await server.start();
    log.info("serving CRI", { socket: config.api.listen });
    tellServiceManager("READY=1", log);
    {
      using _watchdog = startWatchdog({
        env: process.env,
        check: (patience) => statusOverSocket(config.api.listen, patience),
        log,
      });
      await using _reloads = reloadOnHangup(parts.live, reload, log);
      await using _registries = config.image.autoReloadRegistries
        ? watchRegistries({
            directories: (await registriesFiles(config)).dropInDirs,
            reload: () => parts.live.reloadRegistries(),
            log,
          })
        : undefined;
      await stopping;
    }
    tellServiceManager("STOPPING=1", log);
    log.info("stopping; containers go on");
    parts.images.layers.keepArrived();
    await Promise.all([server.stop(), streaming.stop(), metricsServer?.stop()]);
    monitor.stop();
    await watching;
  } finally {
    ending.abort();
    monitor.stop();
    await stopParts(parts, log);
    await tracing?.stop();
  }
  await noteStop(files, config.crio.root, log);
}

/** What networks hold for pods that are no more is given back once the plugins can be asked. */
async function collectNetworkGarbage(pods: PodDeps, log: Logger): Promise<void> {
  try {
    await pods.networks.whenReady();
    await pods.networks.collectGarbage(() => pods.pods.list().map(({ record }) => ({ id: record.id })));
  } catch (error) {
    log.warn("collecting the garbage of networks failed", { error: reasonOf(error) });
  }
}

async function prepareDirectories(config: Config): Promise<void> {
  const { containerExitsDir, containerAttachSocketDir } = config.runtime;
  const { signaturePolicyDir, namespacedAuthDir } = config.image;
  for (const path of [containerExitsDir, containerAttachSocketDir, signaturePolicyDir, namespacedAuthDir]) {
    await mkdir(path, { recursive: true, mode: 0o755 });
  }
  await mkdir(execDirectory(config.runtime.containerExitsDir), { recursive: true, mode: 0o750 });
}

function stopSignal(signal: AbortSignal | undefined, log: Logger): Promise<void> {
  return new Promise((resolve) => {
    const stop = (name: string) => {
      log.info(`received ${name}`);
      resolve();
    };
    process.once("SIGTERM", () => stop("SIGTERM"));
    process.once("SIGINT", () => stop("SIGINT"));
    process.on("SIGPIPE", () => {});
    process.on("SIGHUP", () => {}); // until there is something to reload, the configuration has only just been read
    if (signal?.aborted) resolve();
    signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}
