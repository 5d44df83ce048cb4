import type { Logger } from "../base/index.ts";
import type { ImageReference, Platform } from "../oci/index.ts";
import type { RegistryClient } from "../registry/index.ts";
import type { PolicyPlaces } from "../signatures/index.ts";
import type { ArtifactStore, Store } from "../storage/index.ts";
import type { LayerFlights } from "./layers.ts";
import type { NamespacedAuth } from "./namespaced-auth.ts";
import type { ImageNews } from "./news.ts";
import type { SharedWork } from "./shared-work.ts";
import type { PullsUnderway } from "./underway.ts";

/** What the operations on images work with. */
export interface ImageDeps {
  readonly store: Store;
  readonly artifacts: ArtifactStore;
  readonly registry: RegistryClient;
  /** The full names that a name may stand for, in the order to try them. Rejects a name that cannot be one. */
  readonly candidates: (name: string) => readonly ImageReference[];
  readonly pulls: SharedWork<string>;
  readonly layers: LayerFlights;
  /** The pulls that are going on, for whoever shows them. */
  readonly underway: PullsUnderway;
  readonly platform: Platform;
  /** How long a pull may go on without receiving anything; 0 for ever. */
  readonly progressTimeoutMs: number;
  /** Where the signature policies are. */
  readonly policies: PolicyPlaces;
  /** Credentials that a provider leaves for one pull. */
  readonly namespacedAuth: NamespacedAuth;
  /** Where the private keys for encrypted images are. */
  readonly decryptionKeysPath: string;
  readonly pinned: PinnedImages;
  readonly users: ImageUsers;
  readonly news?: ImageNews;
  readonly log: Logger;
}

/** Who needs an image without having been made from it. */
export interface ImageUsers {
  /** Runs `work`, during which nobody begins to use the image. Rejects with Fault("precondition") when somebody uses it. */
  whileUnused<T>(imageId: string, work: () => Promise<T>): Promise<T>;
}

/** Which images the kubelet must not collect. */
export interface PinnedImages {
  isPinned(names: readonly string[]): boolean;
}
