import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fakeHost } from "./fake-host.ts";
import { freezerFromV1, freezerFromV2 } from "./freezer.ts";
import { parseCount, parseKeyed, parseLimit } from "./numbers.ts";
import { parseCgroupPath } from "./path.ts";
import { type ReadingArea, readAreas } from "./readings/index.ts";
import { ioFromV2 } from "./readings/io.ts";
import { memoryFromV2 } from "./readings/memory.ts";
import { pressureFrom } from "./readings/pressure.ts";
import { swapFromV1 } from "./readings/swap.ts";

const path = parseCgroupPath("/pod1");
const all: readonly ReadingArea[] = ["cpu", "memory", "memoryHistory", "swap", "pids", "hugetlb", "io", "pressure"];

const v2Files = {
  "unified/pod1/cpu.stat":
    "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\nnice_usec 0\nnr_periods 10\nnr_throttled 3\nthrottled_usec 2500\n",
  "unified/pod1/memory.current": "104857600\n",
  "unified/pod1/memory.max": "209715200\n",
  "unified/pod1/memory.peak": "150000000\n",
  "unified/pod1/memory.events": "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n",
  "unified/pod1/memory.stat":
    "anon 52428800\nfile 41943040\nkernel 1048576\nkernel_stack 16384\nfile_mapped 4096\ninactive_file 31457280\npgfault 1000\npgmajfault 5\n",
  "unified/pod1/memory.swap.current": "4096\n",
  "unified/pod1/memory.swap.max": "8192\n",
  "unified/pod1/pids.current": "3\n",
  "unified/pod1/pids.max": "max\n",
  "unified/pod1/hugetlb.2MB.current": "2097152\n",
  "unified/pod1/hugetlb.2MB.events": "max 4\n",
  "unified/pod1/io.stat":
    "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=512 dios=3\n253:1 rbytes=18446744073709551615 wbytes=0 rios=0 wios=0 dbytes=0 dios=0\n7:0 \n",
  "unified/pod1/cpu.pressure":
    "some avg10=1.50 avg60=0.25 avg300=0.00 total=123456\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n",
  "unified/pod1/memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
};

const v1Files = {
  "cpuacct/pod1/cpuacct.usage": "1500000000\n",
  "cpuacct/pod1/cpuacct.stat": "user 100\nsystem 50\n",
  "cpuacct/pod1/cpuacct.usage_percpu": "1000000000 500000000 \n",
  "cpu/pod1/cpu.stat": "nr_periods 10\nnr_throttled 3\nthrottled_time 2500000\n",
  "memory/pod1/memory.usage_in_bytes": "104857600\n",
  "memory/pod1/memory.limit_in_bytes": "9223372036854771712\n",
  "memory/pod1/memory.max_usage_in_bytes": "150000000\n",
  "memory/pod1/memory.failcnt": "7\n",
  "memory/pod1/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
  "memory/pod1/memory.kmem.usage_in_bytes": "1048576\n",
  "memory/pod1/memory.memsw.limit_in_bytes": "9223372036854771712\n",
  "memory/pod1/memory.stat":
    "cache 1\nrss 2\npgfault 900\npgmajfault 4\nhierarchical_memory_limit 209715200\ntotal_cache 41943040\ntotal_rss 52428800\ntotal_mapped_file 4096\ntotal_swap 4096\ntotal_pgfault 1000\ntotal_pgmajfault 5\ntotal_inactive_file 209715200\n",
  "pids/pod1/pids.current": "3\n",
  "pids/pod1/pids.max": "512\n",
  "hugetlb/pod1/hugetlb.2MB.usage_in_bytes": "2097152\n",
  "hugetlb/pod1/hugetlb.2MB.max_usage_in_bytes": "4194304\n",
  "hugetlb/pod1/hugetlb.2MB.failcnt": "4\n",
  "blkio/pod1/blkio.bfq.io_service_bytes_recursive": "Total 0\n",
  "blkio/pod1/blkio.throttle.io_service_bytes_recursive":
    "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 0\n8:0 Discard 512\n8:0 Total 12800\nTotal 12800\n",
  "blkio/pod1/blkio.throttle.io_serviced_recursive": "8:0 Read 1\n8:0 Write 2\n8:0 Discard 3\nTotal 6\n",
};

const disk = {
  major: 8,
  minor: 0,
  readBytes: 4096n,
  writeBytes: 8192n,
  reads: 1n,
  writes: 2n,
  discardBytes: 512n,
  discards: 3n,
};

describe("the readings of a cgroup", () => {
  it("come from the files of v2", async () => {
    await using fake = await fakeHost(2, v2Files);
    assert.deepEqual(await readAreas(fake.host, path, all), {
      cpu: {
        usageNanos: 1_500_000_000n,
        userNanos: 1_000_000_000n,
        systemNanos: 500_000_000n,
        perCpuNanos: [],
        periods: 10n,
        throttledPeriods: 3n,
        throttledNanos: 2_500_000n,
      },
      memory: {
        usageBytes: 104_857_600n,
        workingSetBytes: 73_400_320n,
        limitBytes: 209_715_200n,
        availableBytes: 136_314_880n,
        rssBytes: 52_428_800n,
        cacheBytes: 41_943_040n,
        mappedFileBytes: 4096n,
        kernelBytes: 1_048_576n,
        faults: { all: 1000n, major: 5n },
        ownFaults: { all: 1000n, major: 5n },
      },
      memoryHistory: { maxUsageBytes: 150_000_000n, limitHits: 7n, oomKills: 1n },
      swap: { usageBytes: 4096n, limitBytes: 8192n, availableBytes: 4096n },
      pids: { current: 3n, limit: undefined },
      hugetlb: [{ pageSize: "2MB", usageBytes: 2_097_152n, maxUsageBytes: undefined, limitHits: 4n }],
      io: [
        disk,
        {
          major: 253,
          minor: 1,
          readBytes: 2n ** 64n - 1n,
          writeBytes: 0n,
          reads: 0n,
          writes: 0n,
          discardBytes: 0n,
          discards: 0n,
        },
      ],
      pressure: {
        cpu: {
          some: { avg10: 1.5, avg60: 0.25, avg300: 0, totalMicros: 123_456n },
          full: { avg10: 0, avg60: 0, avg300: 0, totalMicros: 99n },
        },
        memory: {
          some: { avg10: 0, avg60: 0, avg300: 0, totalMicros: 0n },
          full: { avg10: 0, avg60: 0, avg300: 0, totalMicros: 0n },
        },
        io: undefined,
      },
    });
  });

  it("come from the files of v1", async () => {
    await using fake = await fakeHost(1, v1Files);
    assert.deepEqual(await readAreas(fake.host, path, all), {
      cpu: {
        usageNanos: 1_500_000_000n,
        userNanos: 1_000_000_000n,
        systemNanos: 500_000_000n,
        perCpuNanos: [1_000_000_000n, 500_000_000n],
        periods: 10n,
        throttledPeriods: 3n,
        throttledNanos: 2_500_000n,
      },
      memory: {
        usageBytes: 104_857_600n,
        workingSetBytes: 0n, // more inactive pages than usage: the counters are not read at one instant
        limitBytes: undefined,
        availableBytes: 0n,
        rssBytes: 52_428_800n,
        cacheBytes: 41_943_040n,
        mappedFileBytes: 4096n,
        kernelBytes: 1_048_576n,
        faults: { all: 1000n, major: 5n },
        ownFaults: { all: 900n, major: 4n },
      },
      memoryHistory: { maxUsageBytes: 150_000_000n, limitHits: 7n, oomKills: 1n },
      swap: { usageBytes: 4096n, limitBytes: undefined, availableBytes: 0n },
      pids: { current: 3n, limit: 512n },
      hugetlb: [{ pageSize: "2MB", usageBytes: 2_097_152n, maxUsageBytes: 4_194_304n, limitHits: 4n }],
      io: [disk],
      pressure: undefined,
    });
  });

  for (const version of [1, 2] as const) {
    it(`are absent, not wrong, for a cgroup that is gone (v${version})`, async () => {
      await using fake = await fakeHost(version);
      const { hugetlb, io, pressure, ...rest } = await readAreas(fake.host, path, all);
      for (const value of Object.values(rest)) assert.equal(value, undefined);
      assert.deepEqual([hugetlb, io], [[], []]);
      const nothing = { cpu: undefined, memory: undefined, io: undefined };
      assert.deepEqual(pressure, version === 2 ? nothing : undefined);
    });
  }

  it("are only those that were asked for", async () => {
    await using fake = await fakeHost(2, v2Files);
    assert.deepEqual(Object.keys(await readAreas(fake.host, path, ["pids"])), ["pids"]);
  });
});

describe("the parsers of readings", () => {
  it("take kernel memory from its parts where there is no sum", () => {
    const stat = "kernel_stack 1\npagetables 2\npercpu 4\nslab 8\n";
    assert.equal(memoryFromV2({ usage: "20", limit: "max", stat })?.kernelBytes, 15n);
  });

  it("give v1's swap limit as the difference of two limits", () => {
    const texts = { stat: "total_swap 10\n", memoryLimit: "100\n", bothLimit: "150\n" };
    assert.deepEqual(swapFromV1(texts), { usageBytes: 10n, limitBytes: 50n, availableBytes: 40n });
    assert.equal(swapFromV1({ ...texts, stat: "total_cache 1\n" }), undefined);
  });

  it("know no limit when they see one", () => {
    for (const text of ["max", "9223372036854771712", "9223372036854710272", "18446744073709551615", "", undefined]) {
      assert.equal(parseLimit(text), undefined, String(text));
    }
    assert.equal(parseLimit("0\n"), 0n);
    assert.equal(parseLimit("4096"), 4096n);
  });

  it("pass over what they do not know", () => {
    assert.equal(parseCount("-1"), undefined);
    assert.equal(parseCount("1".repeat(21)), undefined);
    assert.equal(parseCount("0x10"), undefined);
    const values = parseKeyed("a 1\nb\nc 2 3\n__proto__ 4\nd x\n\n");
    assert.deepEqual(
      [...values],
      [
        ["a", 1n],
        ["__proto__", 4n],
      ],
    );
    assert.deepEqual(ioFromV2("junk\n8 rbytes=1\n99999999:1 rbytes=1\n8:0 rbytes\n"), []);
    assert.equal(pressureFrom("some avg10=x\n"), undefined);
  });

  it("tell the states of a freezer", () => {
    const texts = ["THAWED\n", "FREEZING\n", "FROZEN\n", "?", undefined];
    assert.deepEqual(
      texts.map((text) => freezerFromV1(text)),
      ["thawed", "freezing", "frozen", undefined, undefined],
    );
    assert.equal(freezerFromV2({ events: "populated 1\nfrozen 1\n", freeze: "0\n" }), "frozen"); // by an ancestor
    assert.equal(freezerFromV2({ events: "populated 1\nfrozen 0\n", freeze: "1\n" }), "freezing");
    assert.equal(freezerFromV2({ events: "populated 1\nfrozen 0\n", freeze: "0\n" }), "thawed");
    assert.equal(freezerFromV2({ events: undefined, freeze: undefined }), undefined);
  });
});
