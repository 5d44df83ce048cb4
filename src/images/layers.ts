import { Fault, inStep, isFault, type Logger, Places, reasonOf, untilAborted, withStep } from "../base/index.ts";
import { type Descriptor, type Digest, digestAlgorithm } from "../oci/index.ts";
import { type RegistryClient, type RegistrySource, registryFailureOf } from "../registry/index.ts";
import type { StagedLayer, Store } from "../storage/index.ts";

/** Layers that one pull fetches at once. Pulls do not wait for each other: the registry of one of them may have stopped talking. */
const downloadsAtOnce = 6;

/**
 * Layers from this size on are hashed where they are unpacked alone. Smaller ones also where they arrive: there is little to hash, they
 * have all come before anybody trips over what is wrong with them, and the error then names the registry that it came from.
 */
const largeBytes = 2 ** 20;

/** A layer of an image: where it is had, what it must unpack to, and its place in the chain. */
export interface LayerPlan {
  /** Its id in the store, from the whole chain below it. */
  readonly id: string;
  readonly parent: string | undefined;
  readonly blob: Descriptor;
  readonly diffId: Digest;
}

/** The layers of an image, bottom first (identifiers as in reference: ondisk.md 2.3). */
export function planLayers(
  store: Pick<Store, "layerIdOf">,
  layers: readonly Descriptor[],
  diffIds: readonly Digest[],
): readonly LayerPlan[] {
  const plans: LayerPlan[] = [];
  let parent: string | undefined;
  for (const [index, blob] of layers.entries()) {
    const diffId = diffIds[index];
    if (diffId === undefined)
      throw new Fault("corrupt", "the image config has fewer diff ids than the manifest layers");
    const id = store.layerIdOf(parent, diffId);
    plans.push({ id, parent, blob, diffId });
    parent = id;
  }
  return plans;
}

export interface FetchOptions {
  readonly source: RegistrySource;
  readonly signal: AbortSignal;
  /** Follows the bytes of a layer as they come. */
  readonly counted: (layer: Digest, bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
  /** How to decrypt a layer; undefined for one that is not encrypted. */
  readonly decryptionOf: (
    layer: Descriptor,
  ) => ((bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>) | undefined;
  /** A layer is in the store. */
  readonly there: (layer: Digest) => void;
  readonly news?: LayerNews | undefined;
}

/** What becomes of each layer. */
export interface LayerNews {
  reused(layer: Digest): void;
  fetched(blob: Descriptor): void;
}

interface LayerOptions extends FetchOptions {
  readonly places: Places;
}

/**
 * Layers on their way into the store. Pulls that need the same layer share one download; a layer is unpacked while it arrives,
 * several at once, and put into the store when its parent is there.
 */
export class LayerFlights {
  readonly #store: Store;
  readonly #registry: Pick<RegistryClient, "blob">;
  readonly #log: Logger;
  readonly #going = new Map<string, Promise<void>>();
  /** How many pulls want a layer. */
  readonly #wanted = new Map<string, number>();
  /** Layers that a pull has put into the store, and that no image is known to be made of. */
  readonly #unclaimed = new Set<string>();
  /** What has arrived stays, although its pull does not end: another daemon is about to go on with it. */
  #keeping = false;
  /** Removals under way: what they remove must not be taken for being there. */
  readonly #removals = new Set<Promise<void>>();

  constructor(store: Store, registry: Pick<RegistryClient, "blob">, log: Logger) {
    this.#store = store;
    this.#registry = registry;
    this.#log = log;
  }

  /**
   * Gets all layers into the store, and then runs `record`, which makes an image of them. When either fails, nothing stays: neither
   * what was staged, nor what had arrived whole, as far as no other pull wants it.
   */
  async fetchAll<T>(plans: readonly LayerPlan[], options: FetchOptions, record: () => Promise<T>): Promise<T> {
    for (const { id } of plans) this.#wanted.set(id, (this.#wanted.get(id) ?? 0) + 1);
    try {
      await Promise.all(this.#removals);
      const recorded = await this.#fetchAndRecord(plans, options, record);
      for (const { id } of plans) this.#unclaimed.delete(id);
      return recorded;
    } finally {
      await this.#leave(plans);
    }
  }

  /**
   * Runs a removal that leaves alone what `isWanted` says: pulls have looked for these layers, and found them. Those that come to nothing
   * remove them.
   */
  async sparing<T>(removal: (isWanted: (layerId: string) => boolean) => Promise<T>): Promise<T> {
    return await removal((id) => {
      if (!this.#wanted.has(id)) return false;
      this.#unclaimed.add(id);
      return true;
    });
  }

  /**
   * From now on, layers that are in the store stay there when their pull fails: to be called before all pulls are ended by the end of the
   * daemon, so that the next one does not fetch them again.
   */
  keepArrived(): void {
    this.#keeping = true;
  }

  /** Removes what nobody wants any more. */
  #leave(plans: readonly LayerPlan[]): Promise<void> {
    const left: string[] = [];
    for (const { id } of plans) {
      const others = (this.#wanted.get(id) ?? 1) - 1;
      if (others > 0) this.#wanted.set(id, others);
      else {
        this.#wanted.delete(id);
        if (this.#unclaimed.delete(id) && !this.#keeping) left.push(id);
      }
    }
    const removal = this.#remove(left);
    this.#removals.add(removal);
    return removal.finally(() => this.#removals.delete(removal));
  }

  async #remove(left: readonly string[]): Promise<void> {
    try {
      const removed = await this.#store.removeUnusedLayers(left);
      if (removed.length > 0) this.#log.debug("layers of a failed pull removed", { layers: removed });
    } catch (error) {
      this.#log.warn("layers of a failed pull stay in the store", { layers: left, why: reasonOf(error) });
    }
  }

  /** Once more when another program, such as podman, has removed a layer that was found in the store: it is fetched then. */
  async #fetchAndRecord<T>(plans: readonly LayerPlan[], options: FetchOptions, record: () => Promise<T>): Promise<T> {
    for (let triesLeft = 2; ; triesLeft--) {
      try {
        await this.#fetchEach(plans, options);
        return await record();
      } catch (error) {
        const isOfStore = isFault(error, "not-found") && registryFailureOf(error) === undefined;
        if (!isOfStore || triesLeft === 0) throw error;
        options.signal.throwIfAborted();
        this.#log.warn("a layer was removed from the store while its image was pulled; it is fetched", {
          why: reasonOf(error),
        });
      }
    }
  }

  async #fetchEach(plans: readonly LayerPlan[], options: FetchOptions): Promise<void> {
    const siblings = new AbortController();
    const signal = AbortSignal.any([options.signal, siblings.signal]);
    const places = new Places(downloadsAtOnce);
    let failure: unknown;
    const arrivals: Promise<void>[] = [];
    let parent: Promise<void> = Promise.resolve();
    for (const plan of plans) {
      const below = parent;
      parent = this.#ensure(plan, below, { ...options, signal, places }).then(() => options.there(plan.blob.digest));
      parent.catch((error: unknown) => {
        failure ??= error;
        // "cancelled", so that another pull that waits for one of these layers fetches it for itself.
        siblings.abort(new Fault("cancelled", "another layer of the image failed"));
      });
      arrivals.push(parent);
    }
    const results = await Promise.allSettled(arrivals);
    if (results.some(({ status }) => status === "rejected")) {
      options.signal.throwIfAborted();
      throw failure;
    }
  }

  async #ensure(plan: LayerPlan, below: Promise<void>, options: LayerOptions): Promise<void> {
    // An image can claim any layer as its own: only who gets the same bytes from the same registry may wait for another.
    const key = `${plan.id} ${plan.blob.digest} ${options.source.reference.domain}`;
    for (;;) {
      const going = this.#going.get(key);
      if (going === undefined) break;
      try {
        await untilAborted(going, options.signal);
        await below;
        return;
      } catch (error) {
        // The other pull's end is not ours: unless the layer itself is bad, try for ourselves.
        options.signal.throwIfAborted();
        if (!isFault(error, "cancelled")) throw error;
      }
    }
    const work = this.#fetch(plan, below, options);
    this.#going.set(key, work);
    try {
      await work;
    } finally {
      this.#going.delete(key);
    }
  }

  async #fetch(plan: LayerPlan, below: Promise<void>, options: LayerOptions): Promise<void> {
    if (await this.#store.hasLayer(plan.id)) {
      options.news?.reused(plan.blob.digest);
      await below;
      return;
    }
    const staged = await inStep(`layer ${plan.blob.digest}`, () => this.#stage(plan, options));
    options.news?.fetched(plan.blob);
    try {
      await below;
      options.signal.throwIfAborted();
      const { id, parent } = plan;
      const added = await this.#store.commitLayer(staged, { id, ...(parent === undefined ? {} : { parent }) });
      if (added) this.#unclaimed.add(id);
    } catch (error) {
      await staged.discard();
      throw error;
    }
  }

  async #stage(plan: LayerPlan, { source, signal, counted, decryptionOf, places }: LayerOptions): Promise<StagedLayer> {
    const leave = await places.take(signal);
    try {
      const decrypt = decryptionOf(plan.blob);
      const readerVerifies = decrypt === undefined && plan.blob.size >= largeBytes;
      const blob = counted(plan.blob.digest, this.#registry.blob(source, plan.blob, { signal, readerVerifies }));
      const staged = await this.#store.stageLayer(decrypt?.(blob) ?? blob, { signal });
      const problem = decrypt === undefined ? mismatchOf(staged, plan) : contentMismatchOf(staged, plan);
      if (problem === undefined) return staged;
      await staged.discard();
      throw new Fault("corrupt", problem);
    } catch (error) {
      signal.throwIfAborted();
      throw withStep(`layer ${plan.blob.digest}`, error);
    } finally {
      leave();
    }
  }
}

/** What of a layer is not as the image says. */
function mismatchOf(staged: StagedLayer, plan: LayerPlan): string | undefined {
  const { digest } = plan.blob;
  // The registry client has compared any other kind of digest.
  if (digestAlgorithm(digest) === "sha256" && staged.compressedDigest !== digest) {
    return `the digest of what came is ${staged.compressedDigest}`;
  }
  return contentMismatchOf(staged, plan);
}

/** The same for a layer whose bytes were changed on the way, and compared before. */
function contentMismatchOf({ diffId }: StagedLayer, { diffId: wanted }: LayerPlan): string | undefined {
  return diffId === wanted ? undefined : `it unpacks to ${diffId}, the image config says ${wanted}`;
}
