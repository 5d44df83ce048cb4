import type { Flight } from "../base/index.ts";
import type { ContainerDeps } from "../containers/index.ts";
import type { NamespaceWorker } from "../host/index.ts";
import type { HostPorts, PodNetworks } from "../network/index.ts";
import type { Creations } from "../state/index.ts";
import type { PodStatsSource } from "./stats-source.ts";

/** What the operations on pods work with. */
export interface PodDeps extends ContainerDeps {
  readonly podCreations: Creations;
  /** Pods that are being stopped: a second caller joins. */
  readonly podStops: Flight<string, void>;
  readonly networks: PodNetworks;
  readonly hostPorts: HostPorts;
  readonly namespaces: NamespaceWorker;
  readonly stats: PodStatsSource;
  readonly podOptions: PodOptions;
}

/** The daemon's options that pods depend on. */
export interface PodOptions {
  readonly dropInfra: boolean;
  readonly pauseImage: () => string;
  /** An auth file for pulling it, or "". */
  readonly pauseImageAuthFile: () => string;
  readonly pauseCommand: () => string;
  readonly defaultSysctls: readonly (readonly [name: string, value: string])[];
  readonly podEvents: boolean;
}
