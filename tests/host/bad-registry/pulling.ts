/** Pulls that must fail in words and leave the store as it was, and succeed once the cause is gone. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { takeInventory } from "../../support/node/index.ts";
import { run } from "../../support/programs.ts";
import { type AuthRule, type FaultRule, registryControl } from "../../support/registry/index.ts";
import { expectAsBefore, expectRefusal, type Refusal } from "../bad-input/refusal.ts";
import type { Scene } from "../bad-input/scene.ts";

export const graphRoot = "/var/lib/containers/storage";

export interface FailingPull extends Refusal {
  readonly image: string;
  readonly faults?: readonly FaultRule[];
  readonly auth?: readonly AuthRule[];
  readonly deadlineMs?: number;
}

/** The pull fails while the registry is spoilt, and leaves nothing; then it succeeds, and the image goes again. */
export async function failsThenSucceeds(scene: Scene, { faults = [], auth = [], ...pull }: FailingPull): Promise<void> {
  const registry = registryControl();
  const expectStoreAsBefore = await watchStore();
  await registry.setAuth(auth);
  try {
    await withFaults(faults, async () => {
      await fails(scene, pull);
      await expectStoreAsBefore();
    });
  } finally {
    await registry.setAuth([]);
    await scene.cri.image.removeImage({ image: { image: pull.image } }); // of a pull that was not refused
  }
  await pullAndRemove(scene, pull.image);
  await expectStoreAsBefore();
}

/** The registry is spoilt for as long as `work` takes. */
export async function withFaults<T>(faults: readonly FaultRule[], work: () => Promise<T>): Promise<T> {
  const registry = registryControl();
  await registry.setFaults(faults);
  try {
    return await work();
  } finally {
    await registry.setFaults([]);
  }
}

/** The pull fails, whatever the registry does. */
export async function fails({ cri }: Scene, { image, deadlineMs, ...refusal }: Omit<FailingPull, "faults" | "auth">) {
  const options = deadlineMs === undefined ? {} : { deadlineMs };
  return await expectRefusal(cri.image.pullImage({ image: { image } }, options), refusal);
}

export async function pullAndRemove({ cri }: Scene, image: string): Promise<void> {
  const { imageRef } = await cri.image.pullImage({ image: { image } });
  assert.match(imageRef, /^[0-9a-f]{64}$/);
  assert.equal((await cri.image.imageStatus({ image: { image } })).image?.id, imageRef);
  await cri.image.removeImage({ image: { image } });
}

/** After `work` there is nothing in the node, and no path in the store, that was not there before. */
export async function leavesStoreAsItWas<T>(work: () => Promise<T>): Promise<T> {
  const expectStoreAsBefore = await watchStore();
  const result = await work();
  await expectStoreAsBefore();
  return result;
}

/** What it resolves with rejects when there is anything in the node, or any path in the store, that is not there now. */
export async function watchStore(): Promise<() => Promise<void>> {
  const inventory = await takeInventory();
  const paths = await storePaths();
  return async () => {
    await expectAsBefore(inventory);
    // A pull that nobody waits for any more tidies up after its caller has left.
    for (const until = Date.now() + 5_000; ; await sleep(50)) {
      const extra = [...(await storePaths())].filter((path) => !paths.has(path));
      if (extra.length === 0) return;
      if (Date.now() > until) assert.fail(`in the store:\n${extra.join("\n")}`);
    }
  };
}

/** Every path of the store; lock files and directories for temporary things may come with the first use. */
async function storePaths(): Promise<ReadonlySet<string>> {
  // Not Node's readdir: that follows links, which the layers of these tests have to all places.
  const { stdout } = await run(["find", graphRoot, "-ignore_readdir_race", "-print0"]);
  return new Set(
    stdout.split("\0").filter((path) => !/(\.lock|\.json|\/(tmp|tempdirs|staging|artifacts))$/.test(path)),
  );
}
