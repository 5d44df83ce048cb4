import type { ImageDeps } from "../images/index.ts";
import type { PodDeps } from "../pods/index.ts";
import type { StreamingServer } from "../streaming/index.ts";

/** What the RPCs work with. */
export interface CriDeps {
  readonly pods: PodDeps;
  readonly images: ImageDeps;
  readonly streaming: StreamingServer;
  readonly runtimeVersion: string;
  /** The effective `[crio.runtime]` table, for the verbose Status. */
  readonly runtimeConfig: () => object;
}
