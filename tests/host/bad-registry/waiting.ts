/** Pulls that stall, are given up, or are made by several at once. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { eventually } from "../../support/daemon/crictl.ts";
import { digestOf, fixtureNames } from "../../support/fixtures/index.ts";
import { type FaultRule, registryControl } from "../../support/registry/index.ts";
import { pushRaw } from "../bad-input/push.ts";
import { expectRefusal } from "../bad-input/refusal.ts";
import { openScene, type Scene } from "../bad-input/scene.ts";
import { fails, failsThenSucceeds, leavesStoreAsItWas, pullAndRemove, withFaults } from "./pulling.ts";

const image = fixtureNames.large;
/** The first blob is the config; the layer below is in the store already. */
const ofLayer = (fault: FaultRule["fault"]): readonly FaultRule[] => [
  { path: "/crio-ts/large/blobs/", skip: 1, fault },
];

export function waiting(scene: () => Scene): void {
  describe("a pull", () => {
    const registry = registryControl();

    const stalls: readonly (readonly [what: string, faults: readonly FaultRule[]])[] = [
      ["its manifest", [{ path: "/crio-ts/large/manifests/", fault: { is: "stall", afterBytes: 0 } }]],
      ["its config", [{ path: "/crio-ts/large/blobs/", fault: { is: "stall", afterBytes: 10 } }]],
      ["a layer, at its beginning", ofLayer({ is: "stall", afterBytes: 0 })],
      ["a layer, in the middle", ofLayer({ is: "stall", afterBytes: 20 << 20 })],
    ];
    for (const [what, faults] of stalls) {
      it(`that stalls in ${what} ends with its client, leaves nothing, and succeeds later`, () =>
        failsThenSucceeds(scene(), { image, faults, deadlineMs: 1_000, code: status.DEADLINE_EXCEEDED, details: /./ }));
    }

    it("that waits for a server which says nothing ends with its client, and the connection with it", async () => {
      const open = new Set<Socket>();
      const server = createServer((socket) => {
        open.add(socket);
        socket.resume().on("error", () => {}); // however it ends
        socket.on("close", () => open.delete(socket));
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo; // a TCP server that listens has one
      const name = `plain.test:${port}/x/y:1`;
      await leavesStoreAsItWas(() =>
        fails(scene(), { image: name, deadlineMs: 500, code: status.DEADLINE_EXCEEDED, details: /./ }),
      );
      await eventually("the daemon gives the connection up", async () => open.size === 0);
      server.close();
    });

    it("that stalls keeps no other one waiting", async () => {
      const { cri } = scene();
      const layers = [1, 2, 3, 4].map((n) => Buffer.alloc(n << 16));
      const images = await Promise.all(layers.map((layer, at) => pushRaw(`stalling-${at}`, { layers: [layer] })));
      const faults = layers.map(
        (layer): FaultRule => ({ path: digestOf(layer), fault: { is: "stall", afterBytes: 9 } }),
      );
      const client = new AbortController();
      await leavesStoreAsItWas(() =>
        withFaults(faults, async () => {
          await registry.takeRequests();
          const stalled = images.map((name) =>
            expectRefusal(cri.image.pullImage({ image: { image: name } }, { signal: client.signal }), {
              code: status.CANCELLED,
              details: /./,
            }),
          );
          let begun = 0;
          await eventually("two layers are on their way", async () => {
            const asked = await registry.takeRequests();
            begun += asked.filter(({ path }) => layers.some((layer) => path.endsWith(digestOf(layer)))).length;
            return begun >= 2;
          });
          await pullAndRemove(scene(), fixtureNames.layered);
          client.abort();
          await Promise.all(stalled);
        }),
      );
    });

    it("that its client cancels leaves nothing, at whatever moment", async () => {
      const { cri } = scene();
      await withFaults(ofLayer({ is: "slow", bytesPerSecond: 20 << 20 }), async () => {
        for (const afterMs of [0, 30, 100, 300, 600]) {
          await leavesStoreAsItWas(async () => {
            const pull = cri.image.pullImage({ image: { image } }, { signal: AbortSignal.timeout(afterMs) });
            await expectRefusal(pull, { code: status.CANCELLED, details: /./ });
          });
        }
      });
      await leavesStoreAsItWas(() => pullAndRemove(scene(), image));
    });

    it("made by many at once is one, and goes on while anybody waits", async () => {
      const { cri } = scene();
      await registry.takeRequests();
      const many = async () => {
        const pull = (signal?: AbortSignal) =>
          cri.image.pullImage({ image: { image } }, signal === undefined ? {} : { signal });
        const leaver = pull(AbortSignal.timeout(500));
        const stayers = [pull(), pull(), pull()];
        await expectRefusal(leaver, { code: status.CANCELLED, details: /./ });
        const ids = (await Promise.all(stayers)).map(({ imageRef }) => imageRef);
        assert.equal(new Set(ids).size, 1);
        const asked = (await registry.takeRequests()).map(({ path }) => path);
        assert.equal(asked.filter((path) => path.includes("/manifests/")).length, 1, asked.join(" "));
        assert.equal(asked.filter((path) => path.includes("/blobs/")).length, 2, asked.join(" "));
        await cri.image.removeImage({ image: { image } });
      };
      const faults = ofLayer({ is: "slow", bytesPerSecond: 20 << 20 });
      await leavesStoreAsItWas(() => withFaults(faults, many));
    });

    it("of an image that shares layers with another one is one with it as long as it can be, whichever fails", async () => {
      const { cri } = scene();
      const shared = Buffer.alloc(8 << 20);
      const images = await Promise.all(
        ["good-one", "good-two", "bad-one"].map((name, at) => {
          const own = Buffer.alloc(1024 * (at + 2));
          return pushRaw(name, {
            layers: [shared, own],
            ...(name === "bad-one" && { spoil: (m) => ({ ...m, layers: [m.layers[0], { ...m.layers[1], size: 7 }] }) }),
          });
        }),
      );
      const [one = "", two = "", bad = ""] = images;
      const together = async () => {
        await registry.takeRequests();
        const failing = expectRefusal(cri.image.pullImage({ image: { image: bad } }), { details: /layer sha256/ });
        const good = [one, two].map((name) => cri.image.pullImage({ image: { image: name } }));
        await Promise.all([failing, ...good]);
        const asked = (await registry.takeRequests()).filter(({ path }) => path.endsWith(digestOf(shared)));
        assert.ok(asked.length <= 2, `asked for ${asked.length} times: once by the one that fails, once by the others`);
        for (const name of [one, two]) {
          assert.ok((await cri.image.imageStatus({ image: { image: name } })).image !== undefined, name);
          await cri.image.removeImage({ image: { image: name } });
        }
      };
      const faults: readonly FaultRule[] = [
        { path: digestOf(shared), fault: { is: "slow", bytesPerSecond: 10 << 20 } },
      ];
      await leavesStoreAsItWas(() => withFaults(faults, together));
    });

    it("that fails beside others of the same image does not take their layers with it", async () => {
      const { cri } = scene();
      const base = Buffer.alloc(4 << 20);
      const good = await pushRaw("beside-good", { layers: [base] });
      const bad = await pushRaw("beside-bad", {
        layers: [base, Buffer.alloc(2048)],
        spoil: (m) => ({ ...m, layers: [m.layers[0], { ...m.layers[1], size: 2049 }] }),
      });
      await leavesStoreAsItWas(async () => {
        await cri.image.pullImage({ image: { image: good } });
        await leavesStoreAsItWas(() => fails(scene(), { image: bad, details: /layer sha256/ }));
        assert.ok((await cri.image.imageStatus({ image: { image: good } })).image !== undefined);
        await cri.image.removeImage({ image: { image: good } });
        await leavesStoreAsItWas(() => fails(scene(), { image: bad, details: /layer sha256/ }));
      });
    });
  });
}

/** The watch over pulls is an option of the daemon's: this one is for daemons of its own. */
export function progressTimeout(): void {
  describe("a registry that sends nothing for pull_progress_timeout", () => {
    it("makes the pull fail in words, and leaves nothing; one that is slow and steady is waited for", async () => {
      await using scene = await openScene({ flags: ["--pull-progress-timeout", "2s"] });
      const details =
        /^unable to pull image quay\.io\/crio-ts\/large:latest: .*context canceled: nothing came from the registry for 2s, \d+ bytes before$/;
      await leavesStoreAsItWas(() =>
        withFaults(ofLayer({ is: "stall", afterBytes: 10 << 20 }), () => fails(scene, { image, details })),
      );
      const log = await scene.daemon.log();
      assert.match(log, /Timed out on waiting up to 2s for image pull progress updates/);
      const faults = ofLayer({ is: "slow", bytesPerSecond: 12 << 20 });
      await leavesStoreAsItWas(() => withFaults(faults, () => pullAndRemove(scene, image)));
    });
  });
}
