import { Fault, isFault, withStep } from "../base/index.ts";
import type { Descriptor, Digest } from "../oci/index.ts";
import type { RegistryClient, RegistrySource } from "../registry/index.ts";
import type { StagedLayer, Store } from "../storage/index.ts";

/** Layers fetched at once over all pulls. */
const downloadsAtOnce = 6;

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
  readonly onBytes: (layer: LayerPlan, count: number) => void;
}

/**
 * Layers on their way into the store. Pulls that need the same layer share one download; a layer is unpacked while it arrives,
 * several at once, and put into the store when its parent is there.
 */
export class LayerFlights {
  readonly #store: Store;
  readonly #registry: Pick<RegistryClient, "blob">;
  readonly #going = new Map<string, Promise<void>>();
  #free = downloadsAtOnce;
  readonly #waiting: (() => void)[] = [];

  constructor(store: Store, registry: Pick<RegistryClient, "blob">) {
    this.#store = store;
    this.#registry = registry;
  }

  /** Resolves when all layers are in the store. On failure the others are stopped, and what they had staged is discarded. */
  async fetchAll(plans: readonly LayerPlan[], options: FetchOptions): Promise<void> {
    const siblings = new AbortController();
    const signal = AbortSignal.any([options.signal, siblings.signal]);
    let failure: unknown;
    const arrivals: Promise<void>[] = [];
    let parent: Promise<void> = Promise.resolve();
    for (const plan of plans) {
      const below = parent;
      parent = this.#ensure(plan, below, { ...options, signal });
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

  async #ensure(plan: LayerPlan, below: Promise<void>, options: FetchOptions): Promise<void> {
    for (;;) {
      const going = this.#going.get(plan.id);
      if (going === undefined) break;
      try {
        await going;
        await below;
        return;
      } catch (error) {
        // The other pull's end is not ours: unless the layer itself is bad, try for ourselves.
        options.signal.throwIfAborted();
        if (!isFault(error, "cancelled")) throw error;
      }
    }
    const work = this.#fetch(plan, below, options);
    this.#going.set(plan.id, work);
    try {
      await work;
    } finally {
      this.#going.delete(plan.id);
    }
  }

  async #fetch(plan: LayerPlan, below: Promise<void>, options: FetchOptions): Promise<void> {
    if (await this.#store.hasLayer(plan.id)) {
      await below;
      return;
    }
    const staged = await this.#stage(plan, options);
    try {
      await below;
      options.signal.throwIfAborted();
      await this.#store.commitLayer(staged, {
        id: plan.id,
        ...(plan.parent === undefined ? {} : { parent: plan.parent }),
      });
    } catch (error) {
      await staged.discard();
      throw error;
    }
  }

  async #stage(plan: LayerPlan, { source, signal, onBytes }: FetchOptions): Promise<StagedLayer> {
    await this.#take(signal);
    try {
      const blob = this.#registry.blob(source, plan.blob, { signal, onBytes: (count) => onBytes(plan, count) });
      const staged = await this.#store.stageLayer(blob, { signal });
      if (staged.diffId === plan.diffId) return staged;
      await staged.discard();
      throw new Fault("corrupt", `it unpacks to ${staged.diffId}, the image config says ${plan.diffId}`);
    } catch (error) {
      signal.throwIfAborted();
      throw withStep(`layer ${plan.blob.digest}`, error);
    } finally {
      this.#give();
    }
  }

  async #take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    // A place is handed over directly; a waiter whose pull has ended hands it on.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (signal.aborted) {
      this.#give();
      signal.throwIfAborted();
    }
  }

  #give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
