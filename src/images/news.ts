import type { Descriptor, Digest } from "../oci/index.ts";

/** What becomes of pulls, for whoever counts. */
export interface ImageNews {
  /** A layer was in the store already. */
  layerReused(image: string, layer: Digest): void;
  /** A layer has come. */
  layerFetched(blob: Descriptor): void;
  pulled(): void;
  pullFailed(reason: string): void;
}
