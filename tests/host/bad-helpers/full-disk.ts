/** A disk that is full, or has no inodes left, fails one request in words; with room again, the same request succeeds. */
import assert from "node:assert/strict";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { type Cri, CriError } from "../../support/daemon/cri.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { type Inventory, type InventoryPaths, takeInventory } from "../../support/node/index.ts";
import { mustRun } from "../../support/programs.ts";
import { expectAsBefore, expectRefusal, leavesNothing } from "../bad-input/refusal.ts";
import { goodContainer, hostNetworkPod, openScene, withContainer, withPod } from "../bad-input/scene.ts";

const disk = "/run/bad-input/disk";
const enospc = /no space left on device|ENOSPC/i;

export function fullDisk(): void {
  describe("a full disk", () => {
    it("below the graph root fails pulls and containers in words, and nothing is left of them", async () => {
      const paths = { graphRoot: `${disk}/root`, runRoot: "/run/containers/storage" };
      await onSmallDisk("size=24m", async () => {
        await using scene = await openScene({ flags: ["--root", paths.graphRoot] });
        const { cri } = scene;
        const pull = () => cri.image.pullImage({ image: { image: fixtureNames.large } });
        const details = /^unable to pull image quay\.io\/crio-ts\/large:latest: layer sha256:[0-9a-f]{64}: /;
        const before = await takeInventory(paths);
        const error = await expectRefusal(pull(), { details });
        assert.match(error.details, enospc);
        await expectAsBefore(before, { paths });
        const { files, ffree } = await statfs(disk);
        await remount(`size=256m,nr_inodes=${files - ffree + 3}`);
        const withoutInodes = await expectRefusal(pull(), { details: /^unable to pull image / });
        assert.match(withoutInodes.details, enospc);
        await expectAsBefore(before, { paths });
        await remount("nr_inodes=0");
        await pull();
        await cri.image.removeImage({ image: { image: fixtureNames.large } });
        await expectAsBefore(before, { paths });
        await remount("size=32m");
        await failsWithoutRoom(cri, paths);
        await cri.image.removeImage({ image: { image: fixtureNames.busybox } });
      });
    });

    it("below the run root fails pods in words, and nothing is left of them", async () => {
      const paths = { graphRoot: "/var/lib/containers/storage", runRoot: `${disk}/run` };
      await onSmallDisk("size=4m", async () => {
        await using scene = await openScene({ flags: ["--runroot", paths.runRoot] });
        await failsWithoutRoom(scene.cri, paths);
      });
    });
  });
}

/** With the disk filled, a pod with a container cannot be made; after that it can. */
async function failsWithoutRoom(cri: Cri, paths: InventoryPaths): Promise<void> {
  const config = hostNetworkPod("full");
  const request = (podSandboxId: string) => ({ podSandboxId, sandboxConfig: config, config: goodContainer("app") });
  const before = await takeInventory(paths);
  await withFilledDisk(0, async () => {
    await expectRefusal(cri.runtime.runPodSandbox({ config }), { details: enospc });
    await expectAsBefore(before, { paths });
  });
  await withPod(cri, { config }, async (podSandboxId) => {
    const withPodAlone = await takeInventory(paths);
    const create = () => cri.runtime.createContainer(request(podSandboxId));
    await withFilledDisk(0, async () => {
      await expectRefusal(create(), { details: enospc });
      await expectAsBefore(withPodAlone, { paths });
    });
    for (const pages of [1, 2, 4, 8]) await endsHalfWay(cri, { pages, create, before: withPodAlone, paths });
    await withContainer(cri, request(podSandboxId), async () => {});
    await expectAsBefore(withPodAlone, { paths });
  });
  await expectAsBefore(before, { paths });
}

/**
 * With room for a few pages it comes further: at most its record and its layer stay then, which cannot be taken out without room for a
 * new list, and they make way for the same container, or go with the pod.
 */
async function endsHalfWay(
  cri: Cri,
  trial: {
    readonly pages: number;
    readonly create: () => Promise<{ readonly containerId: string }>;
    readonly before: Inventory;
    readonly paths: InventoryPaths;
  },
): Promise<void> {
  const { pages, create, before, paths } = trial;
  let containerId: string | undefined;
  await withFilledDisk(pages, async () => {
    try {
      ({ containerId } = await create());
    } catch (error) {
      assert.ok(error instanceof CriError);
      assert.match(error.details, enospc);
      await expectAsBefore(before, { paths, ignore: ["layers", "stored containers"] });
    }
  });
  containerId ??= (await create()).containerId;
  await cri.runtime.removeContainer({ containerId });
  await expectAsBefore(before, { paths });
}

/** Runs `work` with so many pages free and no more. */
async function withFilledDisk(pages: number, work: () => Promise<unknown>): Promise<void> {
  const spare = `${disk}/spare`;
  const filler = `${disk}/filler`;
  if (pages > 0) await writeFile(spare, Buffer.alloc(pages * 4096, "x"));
  // The second time page by page: what is written in large pieces leaves some.
  const fill = `{ cat /dev/zero > ${filler}; dd if=/dev/zero bs=4096 >> ${filler}; } 2>/dev/null || true`;
  await mustRun(["sh", "-c", fill]);
  await rm(spare, { force: true });
  try {
    await work();
  } finally {
    await rm(filler);
  }
}

async function onSmallDisk(options: string, work: () => Promise<void>): Promise<void> {
  await mkdir(disk, { recursive: true });
  await leavesNothing(
    async () => {
      await mustRun(["mount", "-t", "tmpfs", "-o", options, "bad-input-disk", disk]);
      try {
        await writeFile(`${disk}/there`, "");
        await work();
      } finally {
        await mustRun(["umount", disk]);
      }
    },
    { ignore: ["images"] },
  );
}

async function remount(options: string): Promise<void> {
  await mustRun(["mount", "-o", `remount,${options}`, disk]);
}
