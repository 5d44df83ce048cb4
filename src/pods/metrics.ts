import { statfs } from "node:fs/promises";
import { reasonOf, untilAborted } from "../base/index.ts";
import type { CgroupPath, ReadingArea } from "../cgroups/index.ts";
import { countProcesses, mapAtOnce, readCgroup, readOpenFilesLimit } from "../containers/index.ts";
import type { Container, Pod, PodRecord } from "../state/index.ts";
import {
  alwaysRows,
  baseLabelKeys,
  groupAreas,
  groupRows,
  type MetricGroup,
  type MetricRow,
  type MetricSource,
  metricGroups,
  networkRows,
} from "./metric-table.ts";
import { readPodInterfaces } from "./network-usage.ts";
import { liveContainersOf, type PodStatsDeps } from "./stats.ts";

export interface MetricDescriptor {
  readonly name: string;
  readonly help: string;
  readonly labelKeys: readonly string[];
}

export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly atNs: bigint;
  /** In the order of the descriptor's keys. */
  readonly labelValues: readonly string[];
  readonly value: bigint;
}

/** What ListPodSandboxMetrics tells of a pod. */
export interface PodMetrics {
  readonly podId: string;
  readonly metrics: readonly Metric[];
  /** Of the containers that have not ended. */
  readonly containers: readonly { readonly containerId: string; readonly metrics: readonly Metric[] }[];
}

export type DiskSpace = NonNullable<MetricSource["disk"]>;

export interface MetricsOptions {
  readonly groups: readonly MetricGroup[];
  readonly layerPatienceEndsNs: bigint;
  /** The file system of the writable layers, for the group `disk`. */
  readonly disk?: DiskSpace;
  readonly signal?: AbortSignal;
}

const containersAtOnce = 4;
const diskTimeoutMs = 5_000;

/** The groups that `included_pod_metrics` means: those it names, or every one for `all`. */
export function includedGroups(names: readonly string[]): readonly MetricGroup[] {
  return metricGroups.filter((group) => names.includes("all") || names.includes(group));
}

/** What ListMetricDescriptors tells: the metrics of `groups`, and the one there always is. */
export function metricDescriptors(groups: readonly MetricGroup[]): readonly MetricDescriptor[] {
  const rows: readonly Pick<MetricRow<never>, "name" | "help" | "labelKeys">[] = [
    ...containerRows(groups),
    ...(groups.includes("network") ? networkRows : []),
  ];
  return rows.map(({ name, help, labelKeys }) => ({ name, help, labelKeys: [...baseLabelKeys, ...labelKeys] }));
}

/** Reads the metrics of a pod and its containers. A stopped pod has none. Rejects with the reason of `signal` alone. */
export async function readPodMetrics(deps: PodStatsDeps, pod: Pod, options: MetricsOptions): Promise<PodMetrics> {
  const { record } = pod;
  if (pod.stopped) return { podId: record.id, metrics: [], containers: [] };
  const limit = { limit: containersAtOnce, ...(options.signal === undefined ? {} : { signal: options.signal }) };
  const [metrics, containers] = await Promise.all([
    networkMetrics(deps, pod, options),
    mapAtOnce(liveContainersOf(deps, pod), limit, async (container) => ({
      containerId: container.record.id,
      metrics: containerMetrics(record, await readSource(deps, record, container, options), options.groups),
    })),
  ]);
  return { podId: record.id, metrics, containers };
}

/** The metrics that `source` allows for. */
export function containerMetrics(
  pod: PodRecord,
  source: MetricSource,
  groups: readonly MetricGroup[],
): readonly Metric[] {
  const { id, image, metadata } = source.container.record;
  const labels = [id, image.name, pod.metadata.namespace, pod.metadata.name, metadata.name];
  return containerRows(groups).flatMap((row) => metricsOf(row, source, labels, source.atNs));
}

/** The size of the file system that holds the store; undefined when it cannot be had in time. */
export async function readDiskSpace(deps: Pick<PodStatsDeps, "log">, path: string): Promise<DiskSpace | undefined> {
  try {
    const found = await untilAborted(statfs(path, { bigint: true }), AbortSignal.timeout(diskTimeoutMs));
    return { sizeBytes: found.blocks * found.bsize, inodes: found.files, freeInodes: found.ffree };
  } catch (error) {
    deps.log.warn("reading the size of a file system failed; metrics go without it", { path, error: reasonOf(error) });
    return undefined;
  }
}

function containerRows(groups: readonly MetricGroup[]): readonly MetricRow<MetricSource>[] {
  return [...alwaysRows, ...groups.flatMap((group) => (group === "network" ? [] : groupRows[group]))];
}

function metricsOf<Source>(
  row: MetricRow<Source>,
  source: Source,
  labels: readonly string[],
  atNs: bigint,
): readonly Metric[] {
  const { name, type } = row;
  return row
    .read(source)
    .map((sample) => ({ name, type, atNs, value: sample.value, labelValues: [...labels, ...sample.labels] }));
}

async function networkMetrics(deps: PodStatsDeps, pod: Pod, options: MetricsOptions): Promise<readonly Metric[]> {
  if (!options.groups.includes("network")) return [];
  const atNs = deps.clock.nowNs();
  const { id, metadata } = pod.record;
  const labels = [id, "", metadata.namespace, metadata.name, "POD"];
  const interfaces = (await readPodInterfaces(deps, pod, options.signal)) ?? [];
  return networkRows.flatMap((row) => interfaces.flatMap((from) => metricsOf(row, from, labels, atNs)));
}

async function readSource(
  deps: PodStatsDeps,
  pod: PodRecord,
  container: Container,
  { groups, disk, layerPatienceEndsNs }: MetricsOptions,
): Promise<MetricSource> {
  const { record } = container;
  const atNs = deps.clock.nowNs();
  const path = () => deps.cgroups.containerCgroup(pod.cgroupParent, record.id);
  const areas: readonly ReadingArea[] = [...new Set(groups.flatMap((group) => groupAreas[group]))];
  const patienceMs = Number((layerPatienceEndsNs - deps.monotonicNs()) / 1_000_000n);
  const [readings, layer, processes] = await Promise.all([
    readCgroup(deps, path, { areas, about: { containerID: record.id } }),
    groups.includes("disk") ? deps.layers.usage(record, patienceMs) : undefined,
    groups.includes("process") ? readProcesses(deps, path, container) : undefined,
  ]);
  return {
    container,
    atNs,
    ...readings,
    ...processes,
    ...(layer === undefined ? {} : { writtenBytes: layer.bytes }),
    ...(disk === undefined ? {} : { disk }),
  };
}

async function readProcesses(
  deps: PodStatsDeps,
  path: () => CgroupPath,
  { record, init }: Container,
): Promise<Pick<MetricSource, "counts" | "maxOpenFiles">> {
  try {
    const counts = await countProcesses(await deps.cgroups.processes(path()));
    const maxOpenFiles = init === undefined ? undefined : await readOpenFilesLimit(init);
    return { counts, ...(maxOpenFiles === undefined ? {} : { maxOpenFiles }) };
  } catch (error) {
    deps.log.warn("counting what a container's processes have open failed; metrics go without it", {
      containerID: record.id,
      error: reasonOf(error),
    });
    return {};
  }
}
