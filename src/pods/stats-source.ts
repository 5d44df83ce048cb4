import { setTimeout as sleep } from "node:timers/promises";
import { Fault, reasonOf, untilAborted } from "../base/index.ts";
import { type ContainerStats, mapAtOnce, NanoCores, readContainerStats, WritableLayers } from "../containers/index.ts";
import { type Container, type ContainerRecord, isLive, type Pod, type PodRecord } from "../state/index.ts";
import type { Store } from "../storage/index.ts";
import type { MetricGroup } from "./metric-table.ts";
import { type MetricDescriptor, metricDescriptors, type PodMetrics, readDiskSpace, readPodMetrics } from "./metrics.ts";
import { type PodStats, type PodStatsDeps, readPodStats } from "./stats.ts";

export interface StatsSourceOptions extends Omit<PodStatsDeps, "monotonicNs" | "nanoCores" | "layers"> {
  readonly store: Pick<Store, "containerUsage" | "graphRoot">;
  /** How often everything is read in advance (`collection_period`); 0: when somebody asks. */
  readonly collectionPeriodMs: number;
  readonly metricGroups: readonly MetricGroup[];
  /** Nanoseconds, never set back; tests bring their own. */
  readonly monotonicNs?: () => bigint;
}

const podsAtOnce = 4;
const containersAtOnce = 16;
/** How long a request, as a whole, waits for writable layers that have not been measured. */
const layerPatienceNs = 1_000_000_000n;
const longestTimerMs = 2 ** 31 - 1;

/**
 * Statistics of pods and containers: read when somebody asks, or, with a collection period, given from what the last round read.
 * Remembers what is needed from one sample to the next, for as long as there are the pods and containers it belongs to.
 */
export class PodStatsSource {
  readonly #options: StatsSourceOptions;
  readonly #deps: PodStatsDeps;
  readonly #stopping = new AbortController();
  readonly #pods = new WeakMap<PodRecord, PodStats>();
  readonly #containers = new WeakMap<ContainerRecord, ContainerStats>();
  readonly #metrics = new WeakMap<PodRecord, PodMetrics>();
  #metricsWanted = false;
  #rounds: Promise<void> | undefined;

  constructor(options: StatsSourceOptions) {
    const { store, containers, clock, log } = options;
    this.#options = options;
    this.#deps = {
      ...options,
      monotonicNs: options.monotonicNs ?? (() => process.hrtime.bigint()),
      nanoCores: new NanoCores(),
      layers: new WritableLayers({
        measure: (id, signal) => store.containerUsage(id, signal),
        isLive: (id) => {
          const container = containers.get(id);
          return container !== undefined && isLive(container);
        },
        clock,
        log,
      }),
    };
  }

  /** Begins the rounds, where there is a period. */
  start(): void {
    if (this.#options.collectionPeriodMs > 0) this.#rounds ??= this.#goRound(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#deps.layers.stop();
    await this.#rounds;
  }

  /** Undefined for a container that has ended. Rejects when its pod is gone. */
  async container(container: Container, signal?: AbortSignal): Promise<ContainerStats | undefined> {
    if (!isLive(container)) return undefined;
    const { id, podId } = container.record;
    const pod = this.#deps.pods.get(podId);
    if (pod === undefined) {
      throw new Fault("failed", `unable to get stats for container ${id}: sandbox ${podId} not found`);
    }
    return await untilAborted(this.#ofContainer(container, pod, this.#patienceEndsNs()), signal);
  }

  /** Of those that have not ended. */
  async containers(list: readonly Container[], signal?: AbortSignal): Promise<readonly ContainerStats[]> {
    const patienceEndsNs = this.#patienceEndsNs();
    const wanted = list.filter(isLive).flatMap((container) => {
      const pod = this.#deps.pods.get(container.record.podId);
      return pod === undefined ? [] : [{ container, pod }];
    });
    const work = mapAtOnce(wanted, limited(containersAtOnce, signal), ({ container, pod }) =>
      this.#ofContainer(container, pod, patienceEndsNs),
    );
    return await untilAborted(work, signal);
  }

  async pod(pod: Pod, signal?: AbortSignal): Promise<PodStats> {
    return await untilAborted(this.#ofPod(pod, this.#patienceEndsNs(), signal), signal);
  }

  async pods(list: readonly Pod[], signal?: AbortSignal): Promise<readonly PodStats[]> {
    const patienceEndsNs = this.#patienceEndsNs();
    const work = mapAtOnce(list, limited(podsAtOnce, signal), (pod) => this.#ofPod(pod, patienceEndsNs, signal));
    return await untilAborted(work, signal);
  }

  metricDescriptors(): readonly MetricDescriptor[] {
    return metricDescriptors(this.#options.metricGroups);
  }

  /** The metrics of the groups that are configured. */
  async metrics(list: readonly Pod[], signal?: AbortSignal): Promise<readonly PodMetrics[]> {
    this.#metricsWanted = true;
    const missing = list.filter((pod) => this.#cached(this.#metrics, pod) === undefined);
    const read = await untilAborted(this.#readMetrics(missing, signal), signal);
    const byPod = new Map(read.map((metrics) => [metrics.podId, metrics]));
    return list.flatMap((pod) => byPod.get(pod.record.id) ?? this.#cached(this.#metrics, pod) ?? []);
  }

  get #hasRounds(): boolean {
    return this.#options.collectionPeriodMs > 0;
  }

  /** What the last round read of a pod; of a stopped one there is nothing to tell any more. */
  #cached<V>(cache: WeakMap<PodRecord, V>, pod: Pod): V | undefined {
    return this.#hasRounds && !pod.stopped ? cache.get(pod.record) : undefined;
  }

  #patienceEndsNs(): bigint {
    return this.#deps.monotonicNs() + layerPatienceNs;
  }

  async #ofContainer(container: Container, pod: Pod, layerPatienceEndsNs: bigint): Promise<ContainerStats> {
    const cached = this.#hasRounds ? this.#containers.get(container.record) : undefined;
    if (cached !== undefined) return cached;
    const { cgroupParent } = pod.record;
    const stats = await readContainerStats(this.#deps, container, { cgroupParent, layerPatienceEndsNs });
    if (this.#hasRounds) this.#containers.set(container.record, stats);
    return stats;
  }

  async #ofPod(pod: Pod, layerPatienceEndsNs: bigint, signal?: AbortSignal): Promise<PodStats> {
    return this.#cached(this.#pods, pod) ?? (await this.#readPod(pod, layerPatienceEndsNs, signal));
  }

  async #readPod(pod: Pod, layerPatienceEndsNs: bigint, signal?: AbortSignal): Promise<PodStats> {
    const options = { layerPatienceEndsNs, ...(signal === undefined ? {} : { signal }) };
    const stats = await readPodStats(this.#deps, pod, options);
    if (!this.#hasRounds) return stats;
    this.#pods.set(pod.record, stats);
    for (const container of stats.containers) this.#containers.set(container.record, container);
    return stats;
  }

  async #readMetrics(list: readonly Pod[], signal?: AbortSignal): Promise<readonly PodMetrics[]> {
    const { metricGroups: groups, store, log } = this.#options;
    const disk = groups.includes("disk") && list.length > 0 ? await readDiskSpace({ log }, store.graphRoot) : undefined;
    const options = {
      groups,
      layerPatienceEndsNs: this.#patienceEndsNs(),
      ...(disk === undefined ? {} : { disk }),
      ...(signal === undefined ? {} : { signal }),
    };
    return await mapAtOnce(list, limited(podsAtOnce, signal), async (pod) => {
      const metrics = await readPodMetrics(this.#deps, pod, options);
      if (this.#hasRounds) this.#metrics.set(pod.record, metrics);
      return metrics;
    });
  }

  async #goRound(signal: AbortSignal): Promise<void> {
    const periodMs = Math.min(this.#options.collectionPeriodMs, longestTimerMs);
    for (;;) {
      try {
        await sleep(periodMs, undefined, { signal, ref: false });
        const list = this.#deps.pods.list();
        const patienceEndsNs = this.#patienceEndsNs();
        await mapAtOnce(list, limited(podsAtOnce, signal), (pod) => this.#readPod(pod, patienceEndsNs, signal));
        if (this.#metricsWanted) await this.#readMetrics(list, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.log.error("collecting statistics failed", { error: reasonOf(error) });
      }
    }
  }
}

function limited(limit: number, signal: AbortSignal | undefined) {
  return signal === undefined ? { limit } : { limit, signal };
}
