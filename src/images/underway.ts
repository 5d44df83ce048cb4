import type { Descriptor, Digest } from "../oci/index.ts";

/** How far a layer of a pull is. */
export interface LayerProgress {
  readonly digest: Digest;
  /** As it comes, that is compressed. */
  readonly totalBytes: number;
  /** What has come so far; all of it for a layer that was there already. */
  readonly doneBytes: number;
  /** `waiting` also while another pull fetches it; `there` once it is in the store. */
  readonly is: "waiting" | "arriving" | "there";
}

/** A pull that is going on. */
export interface PullView {
  /** The full name. */
  readonly image: string;
  /** Unix time. */
  readonly startedMs: number;
  /** Bottom first; empty until the manifest is there. */
  readonly layers: readonly LayerProgress[];
}

/** The pulls that are going on, and how far they are: for whoever shows them. Reading costs nothing to those who pull. */
export class PullsUnderway {
  readonly #pulls = new Set<PullUnderway>();
  #receivedBytes = 0;

  /** Bytes of layers that have come from registries since the start. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  list(): readonly PullView[] {
    return [...this.#pulls].map((pull) => pull.view());
  }

  /** One more, until it is disposed of. */
  begin(image: string): PullUnderway {
    const pull = new PullUnderway(image, {
      received: (bytes) => {
        this.#receivedBytes += bytes;
      },
      end: () => this.#pulls.delete(pull),
    });
    this.#pulls.add(pull);
    return pull;
  }
}

interface Listener {
  received(bytes: number): void;
  end(): void;
}

/** One pull's own progress, told by who pulls. */
export class PullUnderway implements Disposable {
  readonly #image: string;
  readonly #startedMs = Date.now();
  readonly #layers = new Map<Digest, { totalBytes: number; doneBytes: number; is: LayerProgress["is"] }>();
  readonly #listener: Listener;

  constructor(image: string, listener: Listener) {
    this.#image = image;
    this.#listener = listener;
  }

  view(): PullView {
    const layers = [...this.#layers].map(([digest, layer]) => ({ digest, ...layer }));
    return { image: this.#image, startedMs: this.#startedMs, layers };
  }

  /** What of all layers has come, in one line: `2 of 5 layers, 1234 of 5678 bytes`. */
  summary(): string {
    const layers = [...this.#layers.values()];
    const sum = (pick: (layer: { totalBytes: number; doneBytes: number }) => number) =>
      layers.reduce((total, layer) => total + pick(layer), 0);
    const there = layers.filter((layer) => layer.is === "there").length;
    const bytes = `${sum((layer) => layer.doneBytes)} of ${sum((layer) => layer.totalBytes)} bytes`;
    return `${there} of ${layers.length} layers, ${bytes}`;
  }

  planned(layers: readonly Descriptor[]): void {
    for (const { digest, size } of layers) this.#layers.set(digest, { totalBytes: size, doneBytes: 0, is: "waiting" });
  }

  received(digest: Digest, bytes: number): void {
    this.#listener.received(bytes);
    const layer = this.#layers.get(digest);
    if (layer === undefined) return;
    layer.is = "arriving";
    layer.doneBytes += bytes;
  }

  there(digest: Digest): void {
    const layer = this.#layers.get(digest);
    if (layer === undefined) return;
    layer.is = "there";
    layer.doneBytes = layer.totalBytes;
  }

  [Symbol.dispose](): void {
    this.#listener.end();
  }
}
