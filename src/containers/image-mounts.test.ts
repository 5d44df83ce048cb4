import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Fault, isFault, silentLogger } from "../base/index.ts";
import type { Container } from "../state/index.ts";
import { ImageMounts } from "./image-mounts.ts";
import { aContainer } from "./test-containers.ts";

/** A store that counts, with images a and b; a daemon can begin anew on what the one before has left. */
function fixture() {
  const dir = mkdtempSync(join(tmpdir(), "image-mounts-"));
  const counts = new Map<string, number>();
  const listed: Container[] = [];
  const add = (layer: string, change: number) => counts.set(layer, (counts.get(layer) ?? 0) + change);
  const store = {
    image: async (id: string) => (["a", "b"].includes(id) ? ({ id, layer: `layer-${id}` } as never) : undefined), // all that is looked at
    mountLayer: async (layer: string) => {
      if (layer === "layer-b") throw new Fault("failed", "no room");
      add(layer, 1);
      return `/mounted/${layer}`;
    },
    mountLayerMapped: async (layer: string, { directory }: { directory: string }) => `${directory}/${layer}`,
    unmountLayer: async (layer: string) => void add(layer, -1),
  };
  const daemon = () => new ImageMounts({ store, containers: { list: () => listed }, log: silentLogger });
  const holder = (id: string) => {
    const runDir = join(dir, id);
    mkdirSync(runDir, { recursive: true });
    return { id, runDir };
  };
  return { counts, listed, daemon, holder, [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
}

const inUseBy = (id: string) => (error: unknown) =>
  isFault(error, "precondition") && error.message === `the image is in use by ${id}`;

describe("image mounts", () => {
  it("are given back once, by the daemon that made them or the next", async () => {
    using at = fixture();
    const [first, second] = [at.daemon(), at.daemon()];
    const [one, two] = [at.holder("one"), at.holder("two")];
    assert.equal(await first.acquire(one, "a"), "/mounted/layer-a");
    await first.acquire(two, "a");
    assert.equal(at.counts.get("layer-a"), 2);
    await first.release(one);
    await first.release(one);
    assert.equal(at.counts.get("layer-a"), 1);
    await second.release(two);
    await second.release(two);
    await second.release({ id: "never", runDir: "/nowhere" });
    assert.equal(at.counts.get("layer-a"), 0);
  });

  it("are not given back when they could not be had", async () => {
    using at = fixture();
    const daemon = at.daemon();
    const holder = at.holder("one");
    await daemon.acquire(holder, "a");
    await assert.rejects(daemon.acquire(holder, "b"), /no room/);
    await assert.rejects(daemon.acquire(holder, "c"), (error) => isFault(error, "not-found"));
    await daemon.release(holder);
    assert.deepEqual([...at.counts], [["layer-a", 0]]);
  });

  it("of a pod with users of its own are not counted, since they go with the run directory", async () => {
    using at = fixture();
    const daemon = at.daemon();
    const holder = { ...at.holder("one"), userNamespace: "/run/userns/x" };
    assert.equal(await daemon.acquire(holder, "a"), `${holder.runDir}/image-mounts/a/layer-a`);
    await assert.rejects(
      daemon.whileUnused("a", async () => assert.fail("removed")),
      inUseBy("one"),
    );
    await daemon.release(holder);
    assert.deepEqual([...at.counts], []);
    assert.equal(await daemon.whileUnused("a", async () => "removed"), "removed");
  });

  it("keep their image from being removed, also while the container is being made", async () => {
    using at = fixture();
    const daemon = at.daemon();
    const holder = at.holder("one");
    await daemon.acquire(holder, "a");
    await assert.rejects(
      daemon.whileUnused("a", async () => assert.fail("removed")),
      inUseBy("one"),
    );
    assert.equal(await daemon.whileUnused("b", async () => "removed"), "removed");
    await daemon.release(holder);
    assert.equal(await daemon.whileUnused("a", async () => "removed"), "removed");
    const { record, ...rest } = aContainer({ id: "two" });
    const volume = { containerPath: "/v", hostPath: "/h", readonly: true, recursiveReadOnly: false, image: "a" };
    at.listed.push({
      ...rest,
      record: { ...record, volumes: [{ ...volume, propagation: "private", selinuxRelabel: false }] },
    });
    await assert.rejects(
      at.daemon().whileUnused("a", async () => {}),
      inUseBy("two"),
    );
  });

  it("wait for a removal that is under way, and then find the image gone", async () => {
    using at = fixture();
    const daemon = at.daemon();
    const order: string[] = [];
    const removal = daemon.whileUnused("a", async () => {
      await new Promise(setImmediate);
      order.push("removed");
    });
    const mount = daemon.acquire(at.holder("one"), "a").then(() => order.push("mounted"));
    await Promise.all([removal, mount]);
    assert.deepEqual(order, ["removed", "mounted"]);
  });

  it("do not keep a container whose record of them is damaged from being removed", async () => {
    using at = fixture();
    const holder = at.holder("one");
    for (const text of ["{", "{}", "[1]"]) {
      writeFileSync(join(holder.runDir, "image-mounts.json"), text);
      await at.daemon().release(holder);
    }
    assert.deepEqual([...at.counts], []);
  });
});
