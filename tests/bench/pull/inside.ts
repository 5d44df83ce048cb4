/** Measures the subjects in turn, in a throw-away node, and prints tables. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cri } from "../../support/daemon/cri.ts";
import { startDaemon } from "../../support/daemon/index.ts";
import { fixtureNames, readLayout } from "../../support/fixtures/index.ts";
import { mustRun } from "../../support/programs.ts";
import { startContainerd } from "../streams/containerd.ts";
import { mountBenchDisk } from "./disk.ts";
import { type Floors, measureFloors } from "./floors.ts";
import { imageNames, imagesTarget } from "./images.ts";
import { profileTarget } from "./inside-options.ts";
import { criAt, criSubject, type Subject, skopeo } from "./subjects.ts";
import type { Usage } from "./usage.ts";

const [rounds = 3] = process.argv.slice(2, 3).map(Number);
const only = process.argv[3] ?? "";
const registry = "127.0.0.1:5001";
const nameOf = (image: string) => `${registry}/bench/${image}:latest`;

await mountBenchDisk(["/var/lib/containers", "/var/tmp"]);
await writeFile(
  "/etc/containers/registries.conf.d/bench.conf",
  `[[registry]]\nlocation = "${registry}"\ninsecure = true\n`,
);
await using _registry = await startRegistry();
const profiling = existsSync(profileTarget);
const profile = `--cpu-prof --cpu-prof-dir=${profileTarget}`;
await using crio = await startDaemon({
  flags: ["--log-level", "info"],
  ...(profiling && { env: { NODE_OPTIONS: profile } }),
});
using crioCri = criAt(crio.socket);
const ours = criSubject("crio-ts", crio.pid, crioCri);
if (profiling) {
  for (const image of [imageNames.few, imageNames.many]) if (image.includes(only)) await ours.pull(nameOf(image));
} else await measureAll();

async function measureAll(): Promise<void> {
  await using containerd = await startContainerd(`${crio.dir}/net.d`);
  using cri = containerd === undefined ? undefined : criAt(containerd.socket);
  const subjects = [ours, skopeo];
  if (containerd !== undefined && cri !== undefined) subjects.push(criSubject("containerd", containerd.pid, cri));
  for (const image of [imageNames.few, imageNames.many]) {
    if (!image.includes(only)) continue;
    const layers = await layersOf(image);
    const floors = await measureFloors(layers.map(({ path }) => path));
    const mib = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / 2 ** 20;
    printTable(image, { mib, floors, results: await inTurn(subjects, nameOf(image)) });
  }
  if (only === "") await measureAnswers(crioCri);
}

/** One unmeasured, then so many of each subject, one after the other. */
async function inTurn(subjects: readonly Subject[], image: string): Promise<ReadonlyMap<string, readonly Usage[]>> {
  const results = new Map<string, Usage[]>(subjects.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const each of subjects) {
      await mustRun(["sync"]); // what the one before has left to write is not this one's
      const usage = await each.pull(image);
      if (round > 0) results.get(each.name)?.push(usage);
    }
  }
  return results;
}

interface Measured {
  /** Of the archives, uncompressed. */
  readonly mib: number;
  readonly floors: Floors;
  readonly results: ReadonlyMap<string, readonly Usage[]>;
}

function printTable(image: string, { mib, floors, results }: Measured): void {
  const { hash, decompress, write } = floors;
  const floor = hash + decompress + write;
  const parts = `hash ${hash.toFixed(2)}, decompress ${decompress.toFixed(2)}, write ${write.toFixed(2)}`;
  say(`${image}: ${mib.toFixed(0)} MiB uncompressed, median of ${rounds}; floors ${floor.toFixed(2)} CPU s (${parts})`);
  for (const [name, usages] of results) {
    const median = (pick: (usage: Usage) => number) =>
      usages.map(pick).toSorted((a, b) => a - b)[Math.floor(usages.length / 2)] ?? 0;
    const [seconds, cpu] = [median((usage) => usage.seconds), median((usage) => usage.cpuSeconds)];
    const rate = `${seconds.toFixed(2)} s ${(mib / seconds).toFixed(0).padStart(4)} MiB/s`;
    const share = `${cpu.toFixed(2)} CPU s (${(cpu / floor).toFixed(2)} of the floors)`;
    say(`  ${name.padEnd(12)} ${rate}  ${share}  peak ${median((usage) => usage.peakMiB).toFixed(0)} MiB`);
  }
}

/** How fast the daemon answers while four pulls run. */
async function measureAnswers(cri: Cri): Promise<void> {
  await cri.image.pullImage({ image: { image: fixtureNames.busybox } });
  const sandboxConfig = { metadata: { name: "bench", namespace: "bench", uid: "bench", attempt: 0 }, linux: {} };
  await mkdir("/var/log/pods/bench", { recursive: true });
  const config = { ...sandboxConfig, logDirectory: "/var/log/pods/bench" };
  const { podSandboxId } = await cri.runtime.runPodSandbox({ config });
  const { containerId } = await cri.runtime.createContainer({
    podSandboxId,
    sandboxConfig: config,
    config: {
      metadata: { name: "bench", attempt: 0 },
      image: { image: fixtureNames.busybox },
      command: ["sleep", "1000000"],
      logPath: "bench.log",
    },
  });
  let pulling = true;
  const pulls = Promise.all(
    imageNames.apart.map((image) => cri.image.pullImage({ image: { image: nameOf(image) } }, { deadlineMs: 600_000 })),
  ).finally(() => {
    pulling = false;
  });
  const times: number[] = [];
  while (pulling) {
    for (const call of [() => cri.image.listImages({}), () => cri.runtime.containerStatus({ containerId })]) {
      const began = performance.now();
      await call();
      times.push(performance.now() - began);
    }
    await sleep(5);
  }
  await pulls;
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor((times.length - 1) * share)] ?? 0).toFixed(1);
  say(
    `ListImages and ContainerStatus while four pulls run, ${times.length} calls: median ${at(0.5)} ms, 99 % within ${at(0.99)} ms, all within ${at(1)} ms`,
  );
  await cri.runtime.stopPodSandbox({ podSandboxId });
  await cri.runtime.removePodSandbox({ podSandboxId });
  for (const image of imageNames.apart) await cri.image.removeImage({ image: { image: nameOf(image) } });
}

/** Debian's docker-registry on loopback, with the images in it. */
async function startRegistry(): Promise<AsyncDisposable> {
  await writeFile(
    "/run/bench-registry.yml",
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: /var/tmp/bench-registry}}\nhttp: {addr: "${registry}"}\n`,
  );
  const child = spawn("docker-registry", ["serve", "/run/bench-registry.yml"], { stdio: "ignore" });
  const exited = once(child, "exit");
  for (const until = Date.now() + 20_000; ; await sleep(50)) {
    if (
      await fetch(`http://${registry}/v2/`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      break;
    if (Date.now() > until) throw new Error("docker-registry does not serve");
  }
  for (const image of [imageNames.few, imageNames.many, ...imageNames.apart]) {
    const target = `docker://${nameOf(image)}`;
    await mustRun(["skopeo", "copy", "--dest-tls-verify=false", `oci:${imagesTarget}:${image}`, target]);
  }
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}

/** The layers of an image in the layout: their files, and how large they are uncompressed. */
async function layersOf(image: string): Promise<readonly { readonly path: string; readonly sizeBytes: number }[]> {
  const pathOf = (digest: string) => join(imagesTarget, "blobs/sha256", digest.slice("sha256:".length));
  const digest = (await readLayout(imagesTarget)).get(image)?.digest ?? "";
  const manifest = JSON.parse(await readFile(pathOf(digest), "utf8")) as { layers: { digest: string }[] }; // ours
  return await Promise.all(
    manifest.layers.map(async (layer) => {
      const path = pathOf(layer.digest);
      const { stdout } = await mustRun(["bash", "-c", `gzip -dc "$1" | wc -c`, "bash", path]);
      return { path, sizeBytes: Number(stdout) };
    }),
  );
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
