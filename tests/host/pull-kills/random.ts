import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { type Cri, openCri } from "../../support/daemon/cri.ts";
import { type Daemon, startDaemon } from "../../support/daemon/index.ts";
import { digestOf, type TarEntry, writeTar } from "../../support/fixtures/index.ts";
import { pushRaw } from "../bad-input/push.ts";
import { tryPodman } from "../store-sharing/others.ts";
import { leftOvers } from "./finished-layers.ts";

export interface KillsOptions {
  readonly kills: number;
  readonly seed: number;
  readonly log: (line: string) => void;
}

const longestMs = 1_500;

/**
 * Pulls and removals of images that share layers, cut off by SIGKILL at instants that the seed decides. After each, the next daemon lists
 * only images whose every layer podman finds whole, byte by byte; a pull of each then succeeds, and what is removed is gone.
 */
export async function killAtRandom({ kills, seed, log }: KillsOptions): Promise<void> {
  const random = randomNumbers(seed);
  const images = await pushImages();
  let daemon = await startDaemon();
  try {
    for (let kill = 1; kill <= kills; kill++) {
      const atMs = random() * longestMs;
      const when = `kill ${kill} of seed ${seed}, after ${Math.round(atMs)} ms`;
      const cri = openCri(daemon.socket);
      let killed = false;
      const workers = images.map((image) => pullAndRemove(cri, image, () => killed));
      await sleep(atMs);
      killed = true;
      await daemon.stop("SIGKILL");
      const steps = await Promise.all(workers);
      cri.close();
      daemon = await startDaemon({ dir: daemon.dir });
      log(`${when}, during ${steps.join(", ")}`);
      await takeStock(daemon, images).catch((error: unknown) => {
        throw new Error(`${when}, during ${steps.join(", ")}: ${error}`, { cause: error });
      });
    }
  } finally {
    await daemon.stop();
  }
}

/** Until the daemon is killed; resolves with what it was doing then. */
async function pullAndRemove(cri: Cri, image: string, killed: () => boolean): Promise<string> {
  for (;;) {
    for (const step of ["pull", "remove"] as const) {
      const call = step === "pull" ? cri.image.pullImage : cri.image.removeImage;
      try {
        await call({ image: { image } });
      } catch (error) {
        if (killed()) return step;
        throw error;
      }
      if (killed()) return `after a ${step}`;
    }
  }
}

async function takeStock(daemon: Daemon, images: readonly string[]): Promise<void> {
  using cri = openCri(daemon.socket);
  assert.deepEqual(await leftOvers(), [], "nothing lies beside the store");
  await expectWhole("what is listed after the kill");
  for (const image of images) await cri.image.pullImage({ image: { image } });
  const listed = (await cri.image.listImages({})).images.flatMap(({ repoTags }) => repoTags);
  for (const image of images) assert.ok(listed.includes(image), `${image} is not listed`);
  await expectWhole("what was pulled again");
  for (const image of images) await cri.image.removeImage({ image: { image } });
}

/**
 * podman compares every layer with its digest, by making its archive again. Debian's takes the directory for temporary things, which
 * newer ones know, for a layer that is not in the records.
 */
async function expectWhole(what: string): Promise<void> {
  const { stdout, stderr } = await tryPodman("system", "check");
  const damaged = [...stdout.matchAll(/^Damaged (.+):$/gm)].map(([, thing]) => thing);
  assert.deepEqual(
    damaged.filter((thing) => thing !== "layer tempdirs"),
    [],
    `${what} is damaged: ${stdout}${stderr}`,
  );
}

/** Three images: the same layer below, one that two of them share, and one of its own for each. */
async function pushImages(): Promise<readonly string[]> {
  const [base, shared] = [layerOf("base", 150), layerOf("shared", 100)];
  const stacks = [
    [base, shared, layerOf("one", 60)],
    [base, shared, layerOf("two", 200)],
    [base, layerOf("three", 120)],
  ];
  return await Promise.all(
    stacks.map((archives, at) =>
      pushRaw(`torture-${at}`, {
        layers: archives.map((archive) => gzipSync(archive, { level: 1 })),
        diffIds: archives.map(digestOf),
      }),
    ),
  );
}

/** Every directory with an entry of its own: podman's check takes those that an archive only implies for later additions. */
function layerOf(name: string, files: number): Buffer {
  const folders = [name, ...Array.from({ length: 10 }, (_, at) => `${name}/${at}`)];
  return writeTar([
    ...folders.map((path): TarEntry => ({ is: "directory", path })),
    ...Array.from({ length: files }, (_, at): TarEntry => {
      return { is: "file", path: `${name}/${at % 10}/file-${at}`, content: randomBytes(500 + at * 150) };
    }),
  ]);
}

/** Numbers from 0 to 1 that the seed decides (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
