import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { openCri } from "../../support/daemon/cri.ts";
import { eventually } from "../../support/daemon/crictl.ts";
import { startDaemon } from "../../support/daemon/index.ts";
import { digestOf, writeTar } from "../../support/fixtures/index.ts";
import { registryControl } from "../../support/registry/index.ts";
import { pushRaw } from "../bad-input/push.ts";
import { graphRoot } from "../bad-registry/pulling.ts";

/** A pull of three layers, the last of which is on its way when the daemon ends. */
export async function finishedLayersStay(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  const registry = registryControl();
  const layers = [1, 2, 3].map((n) =>
    writeTar([{ is: "file", path: `layer-${n}`, content: randomBytes(n === 3 ? 12 << 20 : 1 << 20) }]),
  );
  const [first = Buffer.alloc(0), second = Buffer.alloc(0), last = Buffer.alloc(0)] = layers;
  const image = await pushRaw(`finished-${signal.toLowerCase()}`, { layers });
  const daemon = await startDaemon();
  try {
    const before = await layersOnDisk();
    await registry.setFaults([{ path: digestOf(last), fault: { is: "stall", afterBytes: 6 << 20 } }]);
    const cri = openCri(daemon.socket);
    const cutOff = assert.rejects(cri.image.pullImage({ image: { image } }));
    await eventually("two layers are there", async () => (await layersOnDisk()).length === before.length + 2);
    await daemon.stop(signal);
    await cutOff;
    cri.close();
    await registry.setFaults([]);
    await registry.takeRequests();

    await using next = await startDaemon({ dir: daemon.dir });
    using again = openCri(next.socket);
    assert.equal((await layersOnDisk()).length, before.length + 2, "the layers that had arrived are there");
    assert.deepEqual(await leftOvers(), [], "and nothing of the other one");
    assert.equal((await again.image.imageStatus({ image: { image } })).image, undefined, "there is no such image yet");
    await again.image.pullImage({ image: { image } });
    const asked = (await registry.takeRequests()).map(({ path }) => path);
    const times = (blob: Buffer) => asked.filter((path) => path.endsWith(digestOf(blob))).length;
    assert.deepEqual([first, second, last].map(times), [0, 0, 1], asked.join("\n"));
    await again.image.removeImage({ image: { image } });
    assert.deepEqual(await layersOnDisk(), before);
  } finally {
    await registry.setFaults([]);
    await daemon[Symbol.asyncDispose]();
  }
}

/** Directories of layers, by their ids. */
async function layersOnDisk(): Promise<readonly string[]> {
  const names = await readdir(`${graphRoot}/overlay`).catch(() => []);
  return names.filter((name) => /^[0-9a-f]{64}$/.test(name)).toSorted();
}

/** What lies in the directories for what is not yet in the store. */
export async function leftOvers(): Promise<readonly string[]> {
  const folders = [`${graphRoot}/overlay/tempdirs`, `${graphRoot}/overlay/staging`, `${graphRoot}/overlay-layers/tmp`];
  const lists = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  return lists.flat();
}
