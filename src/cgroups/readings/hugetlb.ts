import type { CgroupHost } from "../hierarchy.ts";
import { parseCount, parseKeyed } from "../numbers.ts";
import type { CgroupPath } from "../path.ts";
import { readSetting } from "../settings.ts";

export interface HugetlbReading {
  /** `2MB`, `1GB`. */
  readonly pageSize: string;
  readonly usageBytes: bigint;
  /** The most that was ever used; v1 alone tells it. */
  readonly maxUsageBytes: bigint | undefined;
  /** How often the limit was hit. */
  readonly limitHits: bigint;
}

/** One reading for each page size of the host; none when the cgroup or its controller is not there. */
export async function readHugetlb(host: CgroupHost, path: CgroupPath): Promise<readonly HugetlbReading[]> {
  if (!host.controllers.has("hugetlb")) return [];
  const readings = await Promise.all(host.hugePageSizes.map((pageSize) => readSize(host, path, pageSize)));
  return readings.flatMap((reading) => reading ?? []);
}

async function readSize(host: CgroupHost, path: CgroupPath, pageSize: string): Promise<HugetlbReading | undefined> {
  const read = (end: string) => readSetting(host, { path, controller: "hugetlb", file: `hugetlb.${pageSize}.${end}` });
  if (host.version === 2) {
    const [usage, events] = await Promise.all([read("current"), read("events")]);
    return hugetlbFrom(pageSize, { usage, maxUsage: undefined, limitHits: parseKeyed(events).get("max") });
  }
  const [usage, maxUsage, failures] = await Promise.all([
    read("usage_in_bytes"),
    read("max_usage_in_bytes"),
    read("failcnt"),
  ]);
  return hugetlbFrom(pageSize, { usage, maxUsage, limitHits: parseCount(failures) });
}

function hugetlbFrom(
  pageSize: string,
  found: {
    readonly usage: string | undefined;
    readonly maxUsage: string | undefined;
    readonly limitHits: bigint | undefined;
  },
): HugetlbReading | undefined {
  const usageBytes = parseCount(found.usage);
  if (usageBytes === undefined) return undefined;
  return { pageSize, usageBytes, maxUsageBytes: parseCount(found.maxUsage), limitHits: found.limitHits ?? 0n };
}
