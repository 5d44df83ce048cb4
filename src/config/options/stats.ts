import { int, list, type Section } from "../option.ts";

const podMetrics: readonly string[] = [
  "cpu",
  "disk",
  "diskIO",
  "hugetlb",
  "memory",
  "network",
  "oom",
  "process",
  "spec",
  "pressure",
];

/** `[crio.stats]`: statistics of pods and containers. */
export const statsOptions = {
  stats_collection_period: int(0, {
    flag: "stats-collection-period",
    env: ["CONTAINER_STATS_COLLECTION_PERIOD"],
    deprecated: "set collection_period",
    doc: "Has no effect.",
  }),
  collection_period: int(0, {
    flag: "collection-period",
    env: ["COLLECTION_PERIOD"],
    doc: "Seconds between two readings of pod and container statistics. Zero reads them when somebody asks.",
  }),
  included_pod_metrics: list([], {
    flag: "included-pod-metrics",
    // The misspelt name came first in CRI-O and is still in people's unit files; `deprecatedEnv` in flags.ts warns.
    env: ["CONTAINER_INCLUDED_POD_METRCIS", "CONTAINER_INCLUDED_POD_METRICS"],
    check: (names) => {
      if (names.includes("all")) {
        return names.length === 1 ? undefined : `included_pod_metrics: "all" must be the only entry`;
      }
      const unknown = names.find((name) => !podMetrics.includes(name));
      return unknown === undefined
        ? undefined
        : `invalid included_pod_metrics entry ${JSON.stringify(unknown)}: must be all or of ${podMetrics.join(", ")}`;
    },
    doc: `Groups of metrics that ListPodSandboxMetrics reports: ${podMetrics.join(", ")}; or "all" alone. An empty list
      reports none.`,
  }),
} satisfies Section;
