import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, silentLogger } from "../base/index.ts";
import { type Digest, digestOf } from "../oci/index.ts";
import type { RegistrySource } from "../registry/index.ts";
import type { StagedLayer, Store } from "../storage/index.ts";
import { LayerFlights, planLayers } from "./layers.ts";

const [base, top] = ["base", "top"].map((text) => digestOf(Buffer.from(text))) as [Digest, Digest]; // two in, two out
const blobs = [base, top].map((digest) => ({ mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: 1 }));

/** A store that keeps ids alone. Layers unpack to what they are. */
class IdStore {
  readonly ids = new Set<string>();

  layerIdOf = (parent: string | undefined, diffId: Digest) => (parent === undefined ? "base" : `top of ${diffId}`);
  hasLayer = async (id: string) => this.ids.has(id);
  async stageLayer(blob: AsyncIterable<Uint8Array>): Promise<StagedLayer> {
    let text = "";
    for await (const bytes of blob) text += Buffer.from(bytes).toString();
    const digest = digestOf(Buffer.from(text));
    return { diffId: digest, compressedDigest: digest, discard: async () => {} } as unknown as StagedLayer; // all that is looked at
  }
  async commitLayer(_: StagedLayer, { id, parent }: { id: string; parent?: string }): Promise<boolean> {
    if (parent !== undefined && !this.ids.has(parent)) throw new Fault("not-found", `no parent ${parent}`);
    this.ids.add(id);
    return true;
  }
  async removeUnusedLayers(ids: readonly string[]): Promise<readonly string[]> {
    for (const id of ids) this.ids.delete(id);
    return ids;
  }
}

function flightsOf(store: IdStore, onBlob: (digest: Digest) => void = () => {}) {
  const registry = {
    async *blob(_: RegistrySource, { digest }: { digest: Digest }) {
      onBlob(digest);
      yield Buffer.from(digest === base ? "base" : "top");
    },
  };
  const flights = new LayerFlights(store as unknown as Store, registry, silentLogger); // with what flights need of it
  const plans = planLayers(store, blobs, [base, top]);
  const options = {
    source: sourceAt("example.com"),
    signal: new AbortController().signal,
    counted: (_: Digest, bytes: AsyncIterable<Uint8Array>) => bytes,
    decryptionOf: () => undefined,
    there: () => {},
  };
  return { flights, fetch: (record: () => Promise<string>) => flights.fetchAll(plans, options, record) };
}

/** With what flights look at; the rest is only handed on. */
function sourceAt(domain: string): RegistrySource {
  return { reference: { domain } } as RegistrySource;
}

describe("layers on their way", () => {
  it("are fetched again when another program removes one that was there", async () => {
    const store = new IdStore();
    store.ids.add("base");
    const asked: Digest[] = [];
    const { fetch } = flightsOf(store, (digest) => {
      asked.push(digest);
      if (asked.length === 1) store.ids.delete("base");
    });
    assert.equal(await fetch(async () => "image"), "image");
    assert.deepEqual(asked, [top, base, top]);
    assert.equal(store.ids.size, 2);
  });

  it("go when no image comes of them, unless the daemon is about to end", async () => {
    const failing = async () => Promise.reject(new Error("no image"));
    const store = new IdStore();
    await assert.rejects(flightsOf(store).fetch(failing), /no image/);
    assert.equal(store.ids.size, 0);
    const { flights, fetch } = flightsOf(store);
    flights.keepArrived();
    await assert.rejects(fetch(failing), /no image/);
    assert.equal(store.ids.size, 2);
  });

  it("are waited for by those alone who get the same bytes from the same registry", async () => {
    const store = new IdStore();
    const hostile = Promise.withResolvers<void>();
    const sources: string[] = [];
    const registry = {
      async *blob(source: RegistrySource, { digest }: { digest: Digest }) {
        const from = source.reference.domain;
        sources.push(from);
        if (from === "hostile") await hostile.promise;
        yield Buffer.from(digest === base ? "base" : "top");
      },
    };
    const flights = new LayerFlights(store as unknown as Store, registry, silentLogger);
    const pull = (source: string) =>
      flights.fetchAll(
        planLayers(store, blobs, [base, top]),
        {
          source: sourceAt(source),
          signal: new AbortController().signal,
          counted: (_: Digest, bytes: AsyncIterable<Uint8Array>) => bytes,
          decryptionOf: () => undefined,
          there: () => {},
        },
        async () => source,
      );
    const slow = pull("hostile");
    assert.equal(await pull("good"), "good");
    assert.ok(sources.includes("hostile") && sources.includes("good"));
    hostile.resolve();
    assert.equal(await slow, "hostile");
  });

  it("are spared by the removal of another image while a pull wants them, and go with it", async () => {
    const store = new IdStore();
    store.ids.add("base");
    const { flights, fetch } = flightsOf(store);
    await assert.rejects(
      fetch(async () => {
        await flights.sparing(async (isWanted) => assert.deepEqual(["base", "other"].map(isWanted), [true, false]));
        throw new Error("no image");
      }),
      /no image/,
    );
    assert.equal(store.ids.size, 0);
  });
});
