import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { silentLogger } from "../base/index.ts";
import { createCgroupManager, parseCgroupPath } from "../cgroups/index.ts";
import { NanoCores } from "./nano-cores.ts";
import { type ContainerStatsDeps, readContainerStats } from "./stats.ts";
import { aContainer } from "./test-containers.ts";
import { WritableLayers } from "./writable-layers.ts";

const container = aContainer();
const options = { cgroupParent: "/kubepods/pod1", layerPatienceEndsNs: 10_000_000_000n };

/** A cgroup v2 of plain files, a store whose walks take no time, and clocks that the test sets. */
async function fixture() {
  const mountPoint = await mkdtemp(join(tmpdir(), "stats-"));
  const directory = join(mountPoint, "kubepods/pod1", `crio-${container.record.id}`);
  await mkdir(directory, { recursive: true });
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (message: string) => warnings.push(message) };
  const clock = { nowNs: () => 1_700_000_000_000_000_000n };
  const time = { monotonicNs: 0n };
  const host = {
    version: 2,
    hierarchies: [
      { kind: "unified", controllers: ["cpu", "memory"], mountPoint, mountRoot: "/", own: parseCgroupPath("/") },
    ],
    controllers: new Set(["cpu", "memory"]),
    swapAccounting: true,
    hugePageSizes: [],
  } as const;
  const deps: ContainerStatsDeps = {
    cgroups: createCgroupManager("cgroupfs", host, { log }),
    clock,
    log,
    nanoCores: new NanoCores(),
    layers: new WritableLayers({ measure: async () => ({ bytes: 4096n, inodes: 3n }), isLive: () => true, clock, log }),
    monotonicNs: () => time.monotonicNs,
  };
  return {
    deps,
    time,
    warnings,
    write: (file: string, text: string) => writeFile(join(directory, file), text),
    vanish: () => rm(directory, { recursive: true }),
    [Symbol.asyncDispose]: () => rm(mountPoint, { recursive: true }),
  };
}

describe("the statistics of a container", () => {
  it("are what the kernel and the store say, with a speed from the second time on", async () => {
    await using f = await fixture();
    await f.write("cpu.stat", "usage_usec 1000000\n");
    await f.write("memory.current", "1000\n");
    await f.write("memory.max", "5000\n");
    await f.write("memory.stat", "anon 600\ninactive_file 300\npgfault 9\npgmajfault 1\n");
    await f.write("memory.swap.current", "50\n");
    await f.write("memory.swap.max", "80\n");
    const first = await readContainerStats(f.deps, container, options);
    assert.equal(first.atNs, 1_700_000_000_000_000_000n);
    assert.deepEqual(first.cpu, { usageNanos: 1_000_000_000n });
    assert.equal(first.memory?.workingSetBytes, 700n);
    assert.equal(first.memory?.availableBytes, 4300n);
    assert.deepEqual(first.swap, { usageBytes: 50n, limitBytes: 80n, availableBytes: 30n });
    assert.deepEqual(first.writableLayer, { atNs: 1_700_000_000_000_000_000n, bytes: 4096n, inodes: 3n });
    await f.write("cpu.stat", "usage_usec 1500000\n");
    f.time.monotonicNs = 1_000_000_000n;
    const second = await readContainerStats(f.deps, container, options);
    assert.deepEqual(second.cpu, { usageNanos: 1_500_000_000n, nanoCores: 500_000_000n });
  });

  it("lack what the kernel does not tell", async () => {
    await using f = await fixture();
    await f.write("cpu.stat", "usage_usec 1\n");
    const { cpu, memory, swap } = await readContainerStats(f.deps, container, options);
    assert.deepEqual([cpu, memory, swap], [{ usageNanos: 1000n }, undefined, undefined]);
  });

  it("are no failure when the cgroup has vanished, and nobody needs to hear of it", async () => {
    await using f = await fixture();
    await f.vanish();
    const stats = await readContainerStats(f.deps, container, options);
    assert.equal(stats.cpu, undefined);
    assert.equal(stats.memory, undefined);
    assert.deepEqual(f.warnings, []);
  });

  it("are no failure when the cgroup cannot be read, which is logged", async () => {
    await using f = await fixture();
    const stats = await readContainerStats(f.deps, container, { ...options, cgroupParent: "/../etc" });
    assert.equal(stats.cpu, undefined);
    assert.equal(stats.writableLayer?.bytes, 4096n);
    assert.equal(f.warnings.length, 1);
  });
});
