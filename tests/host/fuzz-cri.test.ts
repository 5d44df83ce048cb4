/**
 * Requests of which a field, or two, or the bytes themselves are wrong: every field of every call with every flaw it can have. A
 * bounded number here; `npm run fuzz:cri` sends 100,000.
 */
import assert from "node:assert/strict";
import { mkdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { ImageServiceDefinition, RuntimeServiceDefinition } from "../../src/cri/generated/api.ts";
import { memoryAfterCollection } from "../support/daemon/memory.ts";
import { fixtureNames } from "../support/fixtures/index.ts";
import { takeInventory } from "../support/node/index.ts";
import { listCgroups } from "../support/node/inventory-kernel.ts";
import { guardHost } from "./bad-input/host-guard.ts";
import { expectAsBefore } from "./bad-input/refusal.ts";
import { openScene, type Scene } from "./bad-input/scene.ts";
import { type Outcome, runCampaign } from "./fuzz-cri/campaign.ts";
import { allCases, caseName, planCases } from "./fuzz-cri/cases.ts";
import { flaws } from "./fuzz-cri/flaws.ts";
import { goodRequest, hostFolder, logFolder } from "./fuzz-cri/good-requests.ts";
import { randomFrom } from "./fuzz-cri/random.ts";
import { loadRpcs } from "./fuzz-cri/schema.ts";
import { World } from "./fuzz-cri/world.ts";

const count = Number(process.env.CRIO_TS_FUZZ_REQUESTS ?? 800);
const seed = Number(process.env.CRIO_TS_SEED ?? 20_260_701);
const isLong = process.env.CRIO_TS_FUZZ_REQUESTS !== undefined;
const only = process.env.CRIO_TS_FUZZ_ONLY?.split(",").map(Number);
/** What may stay in memory: caches that a daemon fills as it works. */
const mayStayBytes = 64 << 20;
/** Requests of 64 MiB, in fields that the seed chooses: each keeps both sides busy for seconds. */
const large = isLong ? 24 : 4;

/** One whose pods may carry every annotation that crio parses. */
const handlers = `
[crio.runtime.runtimes.allowing]
runtime_path = "/usr/bin/crun"
runtime_root = "/run/crun"
monitor_cgroup = "pod"
allowed_annotations = ["userns-mode.crio.io", "io.kubernetes.cri-o.userns-mode", "shm-size.crio.io", "io.kubernetes.cri-o.ShmSize", "umask.crio.io", "io.kubernetes.cri-o.umask", "unified-cgroup.crio.io", "io.kubernetes.cri-o.UnifiedCgroup", "devices.crio.io", "io.kubernetes.cri-o.Devices", "cgroup2-mount-hierarchy-rw.crio.io", "io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw", "link-logs.crio.io", "platform-runtime-path.crio.io", "seccomp-notifier-action.crio.io", "io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel"]
`;

/** A network that costs nothing: these pods talk to nobody. */
const plugin = `#!/bin/sh
[ "$CNI_COMMAND" != VERSION ] || { echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}'; exit; }
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","sandbox":"'"$CNI_NETNS"'"}],"ips":[{"address":"10.9.9.2/24","interface":0}]}'
`;

describe("spoilt requests", () => {
  it("reach every field of every call with every flaw that it can have", async () => {
    const rpcs = await loadRpcs();
    const methods = [RuntimeServiceDefinition, ImageServiceDefinition].flatMap(({ methods }) => Object.values(methods));
    assert.deepEqual(rpcs.map(({ name }) => name).sort(), methods.map(({ name }) => name).sort());
    const names = new Set(allCases(rpcs).map(caseName));
    for (const flaw of flaws)
      assert.ok(
        [...names].some((name) => name.endsWith(` ${flaw.name}`)),
        flaw.name,
      );
    const ids = { pod: "p", running: "r", created: "c", doomed: "d" };
    for (const { name } of rpcs) goodRequest({ rpc: name, ids, name: "x", random: randomFrom(1), refused: false });
    const plan = planCases(rpcs, { count: 100_000, seed: 1, large: Number.POSITIVE_INFINITY });
    const planned = new Set(plan.map(caseName));
    assert.deepEqual(
      [...names].filter((name) => !planned.has(name)),
      [],
    );
  });

  it(`are refused in CRI-O's codes, ${count} of them, by a daemon that lives on, and leave nothing`, async () => {
    process.stdout.write(`CRIO_TS_SEED=${seed}\n`);
    await mkdir(`${hostFolder}/data`, { recursive: true });
    await mkdir("/run/bad-input/plugins", { recursive: true });
    await writeFile("/run/bad-input/plugins/nothing", plugin, { mode: 0o755 });
    await using scene = await openScene({
      cni: { cniVersion: "1.0.0", name: "test-net", plugins: [{ type: "nothing", capabilities: { bandwidth: true } }] },
      pluginDirs: ["/run/bad-input/plugins"],
      config: handlers,
      // A hundred thousand requests at debug level fill the memory that /run is made of.
      ...(isLong && { flags: ["--log-level", "info"] }),
    });
    const { cri, daemon } = scene;
    await cri.image.pullImage({ image: { image: fixtureNames.configured } });
    const cases = planCases(await loadRpcs(), { count, seed, large });
    // What stays after the first pod belongs to the daemon.
    const world = new World(cri);
    await world.ids();
    await world.clear();
    const before = await takeInventory();
    const memory = await memoryAfterCollection(daemon);
    const host = await guardHost();
    const startedMs = Date.now();
    const outcome = await runCampaign({
      cri,
      cases,
      seed,
      atOnce: isLong ? 24 : 10,
      ...(only !== undefined && { only: new Set(only) }),
      async onProgress(sent, { complaints }) {
        const seconds = Math.round((Date.now() - startedMs) / 1000);
        process.stdout.write(`${sent} of ${cases.length} after ${seconds} s, ${complaints.length} complaints\n`);
        await expectAlive(scene);
      },
      async onRest(granted) {
        await removeParents();
        // Sources of mounts and folders of logs are made where they are missing, and are the kubelet's to remove. Thousands deep,
        // they are also more than the guard can list.
        for (const folder of [logFolder, hostFolder]) await rm(folder, { recursive: true, force: true });
        await mkdir(`${hostFolder}/data`, { recursive: true });
        await expectAsBefore(before, { ignore: ["images"] });
        await host.check(granted);
      },
      ...(process.env.CRIO_TS_FUZZ_TRACE && { onAnswer: (line: string) => process.stdout.write(`${line}\n`) }),
    });
    process.stdout.write(table(outcome));
    const after = await memoryAfterCollection(daemon);
    process.stdout.write(`memory: ${JSON.stringify(memory)} before, ${JSON.stringify(after)} after\n`);
    assert.deepEqual(outcome.complaints, []);
    assert.ok(after.usedBytes - memory.usedBytes < mayStayBytes, JSON.stringify({ memory, after }));
  });
});

/** A pod's cgroup parent is the kubelet's to remove, and here ours. What is empty and no container's goes. */
async function removeParents(): Promise<void> {
  const folders = await listCgroups();
  for (const folder of folders.sort((one, two) => two.length - one.length)) {
    if (/\/crio-[^/]*$/.test(folder)) continue;
    await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (!["EBUSY", "ENOTEMPTY", "ENOENT"].includes(error.code ?? "")) throw error;
    });
  }
}

/** The same process, which answers. */
async function expectAlive({ cri, daemon }: Scene): Promise<void> {
  const [status] = await Promise.all([cri.runtime.status({}), readFile(`/proc/${daemon.pid}/cmdline`)]);
  assert.ok(
    status.status?.conditions.every((condition) => condition.status),
    "a condition is not met",
  );
}

function table({ codes }: Outcome): string {
  const lines = [...codes].sort().map(([rpc, counts]) => {
    const all = [...counts].map(([code, times]) => `${code} ${times}`).join(", ");
    return `  ${rpc}: ${all}\n`;
  });
  return lines.join("");
}
