import { readdir } from "node:fs/promises";
import type * as PromClient from "prom-client";
import type { Operations } from "../../base/index.ts";
import { readProcess } from "../../host/index.ts";
import type { ImageNews } from "../../images/index.ts";
import { pullErrorLabel, sizeLabel } from "./sizes.ts";

export interface MetricsOptions {
  /** Names of collectors, with or without their prefixes. */
  readonly collectors: readonly string[];
  readonly operations: Operations;
  readonly defaultRuntime: () => string;
  /** The pulls under way, for their progress. */
  readonly pulls: () => Iterable<PullProgressReading>;
}

/** How far one layer of a pull is. */
export interface PullProgressReading {
  readonly image: string;
  readonly layer: string;
  readonly receivedBytes: number;
  readonly sizeBytes: number;
}

/** A call that has ended. */
export interface CallNews {
  readonly rpc: string;
  readonly elapsedMs: number;
  readonly failed: boolean;
}

const prefix = "container_runtime_crio_";

/** How long a latency counts in the summary, as Go's client has it. */
const summaryWindow = { maxAgeSeconds: 600, ageBuckets: 5, pruneAgedBuckets: false };

/** Each image that a node ever pulls would be a label for ever: so many are kept. */
const maxReusedNames = 1000;

/** Zombies are counted at most so often: that reads all of /proc. */
const leastDefunctMs = 5_000;

/**
 * The metrics of CRI-O by its names, types and labels (reference: annotations-and-features.md 13), those of this process, and the
 * daemon's own, `crio_ts_…`. Whatever is not among the collectors is not there, and costs nothing.
 */
export class Metrics implements ImageNews {
  readonly #registry: PromClient.Registry;
  readonly #lib: typeof PromClient;
  readonly #wanted: ReadonlySet<string>;

  readonly #operations: PromClient.Counter | undefined;
  readonly #errors: PromClient.Counter | undefined;
  readonly #latency: PromClient.Gauge | undefined;
  readonly #latencies: PromClient.Summary | undefined;
  readonly #layerSizes: PromClient.Histogram | undefined;
  readonly #pulledBytes: PromClient.Counter | undefined;
  readonly #pulls: PromClient.Counter | undefined;
  readonly #pullFailures: PromClient.Counter | undefined;
  readonly #reuses: PromClient.Counter | undefined;
  readonly #ooms: PromClient.Counter | undefined;
  readonly #oomsByName: PromClient.Counter | undefined;
  readonly #notified: PromClient.Counter | undefined;
  readonly #droppedEvents: PromClient.Counter | undefined;
  readonly #stoppedMonitors: PromClient.Counter | undefined;
  readonly #stalled: PromClient.Counter | undefined;
  /** Those that `#reuses` counts, the one that was longest ago first. */
  readonly #reusedNames = new Set<string>();
  #defunct = { atMs: Number.NEGATIVE_INFINITY, count: 0 };

  /** The library is loaded only here: it costs memory. */
  static async create(options: MetricsOptions): Promise<Metrics> {
    // All that a bundle has of a CommonJS library is in `default`; its types are those of the library then.
    const { default: library } = (await import("prom-client")) as unknown as { readonly default: typeof PromClient };
    return new Metrics(library, options);
  }

  private constructor(lib: typeof PromClient, options: MetricsOptions) {
    this.#lib = lib;
    this.#registry = new lib.Registry();
    this.#wanted = new Set(options.collectors.map(collectorName));
    const { operations, defaultRuntime, pulls } = options;

    this.#operations = this.#counter("operations_total", "CRI calls by their name.", "operation");
    this.#errors = this.#counter("operations_errors_total", "CRI calls that failed, by their name.", "operation");
    this.#latency = this.#gauge("operations_latency_seconds", "How long the last call took, in seconds.", [
      "operation",
    ]);
    this.#latencies = this.#summary("operations_latency_seconds_total", "How long calls take, in seconds.");
    this.#layerSizes = this.#histogram("image_pulls_layer_size", "Bytes of the layers that were pulled.");
    this.#pulledBytes = this.#counter("image_pulls_bytes_total", "Bytes that were pulled.", "mediatype", "size");
    this.#counter("image_pulls_skipped_bytes_total", "Bytes that needed not be pulled.", "size");
    this.#pulls = this.#counter("image_pulls_success_total", "Pulls that succeeded.");
    this.#pullFailures = this.#counter("image_pulls_failure_total", "Pulls that failed, by their error.", "error");
    this.#reuses = this.#counter("image_layer_reuse_total", "Layers that were in the store already.", "name");
    this.#ooms = this.#counter("containers_oom_total", "Containers that ended for want of memory.");
    this.#oomsByName = this.#counter("containers_oom_count_total", "The same, by the container's name.", "name");
    this.#notified = this.#counter("containers_seccomp_notifier_count_total", seccompHelp, "name", "syscall");
    this.#droppedEvents = this.#counter("containers_events_dropped_total", "Events that a client was too slow for.");
    this.#stoppedMonitors = this.#counter("containers_stopped_monitor_count", "Monitors that died.", "name");
    this.#stalled = this.#counter("resources_stalled_at_stage", stalledHelp, "stage");
    this.#gauge("processes_defunct", "Zombies on the node.", [], async (gauge) => gauge.set(await this.#zombies()));
    this.#gauge("default_runtime", "1 for the default runtime handler.", ["runtime"], (gauge) => {
      gauge.reset();
      gauge.set({ runtime: defaultRuntime() }, 1);
    });

    lib.collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 100 });
    this.#own(operations, pulls);
  }

  /** Of a call that has ended. */
  called({ rpc: operation, elapsedMs, failed }: CallNews): void {
    this.#operations?.inc({ operation });
    if (failed) this.#errors?.inc({ operation });
    this.latency(operation, elapsedMs);
  }

  /** Of a part of a call, such as `network_setup_pod`. */
  latency(operation: string, elapsedMs: number): void {
    this.#latency?.set({ operation }, elapsedMs / 1000);
    this.#latencies?.observe({ operation }, elapsedMs / 1000);
  }

  stalled(stage: string): void {
    this.#stalled?.inc({ stage });
  }

  eventDropped(): void {
    this.#droppedEvents?.inc();
  }

  outOfMemory(name: string): void {
    this.#ooms?.inc();
    this.#oomsByName?.inc({ name });
  }

  monitorDied(name: string): void {
    this.#stoppedMonitors?.inc({ name });
  }

  seccompNotified(name: string, syscall: string): void {
    this.#notified?.inc({ name, syscall });
  }

  /** Forgets what is counted by a container's name. */
  containerRemoved(name: string): void {
    this.#oomsByName?.remove({ name });
    this.#stoppedMonitors?.remove({ name });
  }

  layerReused(image: string, layer: string): void {
    const name = `${image}@${layer}`;
    this.#reuses?.inc({ name });
    this.#reusedNames.delete(name);
    this.#reusedNames.add(name);
    const [longestAgo] = this.#reusedNames;
    if (this.#reusedNames.size <= maxReusedNames || longestAgo === undefined) return;
    this.#reusedNames.delete(longestAgo);
    this.#reuses?.remove({ name: longestAgo });
  }

  layerFetched({ mediaType, size }: { readonly mediaType: string; readonly size: number }): void {
    this.#layerSizes?.observe(size);
    this.#pulledBytes?.inc({ mediatype: mediaType, size: sizeLabel(size) }, size);
  }

  pulled(): void {
    this.#pulls?.inc();
  }

  pullFailed(reason: string): void {
    this.#pullFailures?.inc({ error: pullErrorLabel(reason) });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All of it, in Prometheus' text format. */
  async text(): Promise<string> {
    return await this.#registry.metrics();
  }

  #own(operations: Operations, pulls: MetricsOptions["pulls"]): void {
    const registers = [this.#registry];
    const inFlight = new this.#lib.Gauge({
      name: "crio_ts_operations_in_flight",
      help: "Calls and work of the daemon's own that have not ended.",
      labelNames: ["operation"],
      registers,
      collect: () => {
        inFlight.reset();
        for (const { name } of operations.running()) inFlight.inc({ operation: name });
      },
    });
    const oldest = new this.#lib.Gauge({
      name: "crio_ts_oldest_operation_seconds",
      help: "Age of the operation that is in flight the longest; 0 without one.",
      registers,
      collect: () => {
        const [first] = operations.running();
        oldest.set(first === undefined ? 0 : (performance.now() - first.startedMs) / 1000);
      },
    });
    // Each looks for itself: they are read in their order, not all after all have looked.
    const pullGauge = (name: string, help: string, of: "receivedBytes" | "sizeBytes") => {
      const gauge = new this.#lib.Gauge({
        name,
        help,
        labelNames: ["image", "layer"],
        registers,
        collect: () => {
          gauge.reset();
          for (const { image, layer, [of]: bytes } of pulls()) gauge.set({ image, layer }, bytes);
        },
      });
    };
    pullGauge("crio_ts_pull_layer_size_bytes", "Size of the layers that are being pulled.", "sizeBytes");
    const received = "How much has come of the layers that are being pulled.";
    pullGauge("crio_ts_pull_layer_received_bytes", received, "receivedBytes");
  }

  #counter(name: string, help: string, ...labelNames: readonly string[]): PromClient.Counter | undefined {
    if (!this.#wanted.has(name)) return undefined;
    return new this.#lib.Counter({ name: `${prefix}${name}`, help, labelNames, registers: [this.#registry] });
  }

  #gauge(
    name: string,
    help: string,
    labelNames: readonly string[],
    collect?: (gauge: PromClient.Gauge) => Promise<void> | void,
  ): PromClient.Gauge | undefined {
    if (!this.#wanted.has(name)) return undefined;
    const gauge: PromClient.Gauge = new this.#lib.Gauge({
      name: `${prefix}${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      ...(collect === undefined ? {} : { collect: () => collect(gauge) }),
    });
    return gauge;
  }

  #summary(name: string, help: string): PromClient.Summary | undefined {
    if (!this.#wanted.has(name)) return undefined;
    return new this.#lib.Summary({
      ...{ name: `${prefix}${name}`, help, labelNames: ["operation"], percentiles: [0.5, 0.9, 0.99] },
      ...{ registers: [this.#registry], ...summaryWindow },
    });
  }

  #histogram(name: string, help: string): PromClient.Histogram | undefined {
    if (!this.#wanted.has(name)) return undefined;
    const buckets = [1e3, 1e6, 1e7, 5e7, 1e8, 2e8, 3e8, 4e8, 5e8, 1e9, 1e10];
    return new this.#lib.Histogram({ name: `${prefix}${name}`, help, buckets, registers: [this.#registry] });
  }

  async #zombies(): Promise<number> {
    const nowMs = performance.now();
    if (nowMs - this.#defunct.atMs >= leastDefunctMs) this.#defunct = { atMs: nowMs, count: await countZombies() };
    return this.#defunct.count;
  }
}

const seccompHelp = "System calls that the seccomp notifier was told of.";
const stalledHelp = "Creations that a retry found unfinished, by their stage.";

/** Without the prefixes that a configuration may write: `crio_operations_total` is `operations_total`. */
function collectorName(name: string): string {
  return name.replace(/^container_runtime_/, "").replace(/^crio_/, "");
}

async function countZombies(): Promise<number> {
  let count = 0;
  for (const name of await readdir("/proc")) {
    if (/^\d+$/.test(name) && (await readProcess(Number(name)))?.state === "Z") count++;
  }
  return count;
}
