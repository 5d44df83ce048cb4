import type { RuntimeSpec } from "../oci/index.ts";
import type { KnownProcess } from "../runtime/index.ts";
import type { ContainerMetadata, IdMapping, StringMap } from "./kube.ts";

export type MountPropagation = "private" | "host-to-container" | "bidirectional";

/** A mount of the request, as ContainerStatus gives it back. */
export interface Volume {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly recursiveReadOnly: boolean;
  readonly propagation: MountPropagation;
  readonly selinuxRelabel: boolean;
  /** Id of the image that is mounted, for an image volume. */
  readonly image?: string;
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
}

export interface ContainerImage {
  /** The string of the request; what listings show. */
  readonly requested: string;
  /** Some name of the image, or "". */
  readonly name: string;
  /** The image's id. */
  readonly id: string;
  readonly repoDigests: readonly string[];
}

/** What a container is, from its creation to its removal; it never changes. */
export interface ContainerRecord {
  readonly id: string;
  readonly podId: string;
  /** `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`. */
  readonly name: string;
  readonly metadata: ContainerMetadata;
  readonly image: ContainerImage;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly createdAtNs: bigint;
  readonly logPath: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly mountPoint: string;
  readonly volumes: readonly Volume[];
  /** Name of the signal that asks it to stop; "" is SIGTERM. */
  readonly stopSignal: string;
  readonly runtimeHandler: string;
  /** Another runtime program for create, exec and update; "" is the handler's. */
  readonly runtimePath: string;
  readonly privileged: boolean;
  readonly dir: string;
  readonly runDir: string;
}

export type ContainerState =
  | { readonly is: "created" }
  | { readonly is: "running"; readonly startedAtNs: bigint; readonly paused: boolean }
  | ExitedState
  | {
      /** The process is gone and nobody saw it end: no exit code is made up. */
      readonly is: "unknown";
      readonly startedAtNs: bigint;
      readonly why: string;
    };

export interface ExitedState {
  readonly is: "exited";
  readonly startedAtNs: bigint;
  readonly finishedAtNs: bigint;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** What crio has to say of the end, such as why a start failed. */
  readonly error: string;
}

export interface Container {
  readonly record: ContainerRecord;
  readonly spec: RuntimeSpec;
  readonly state: ContainerState;
  /** The first process; absent for a pod's infra record without a process. */
  readonly init?: KnownProcess;
  readonly monitor?: KnownProcess;
}

/** Whether there is, as far as is known, a process. */
export function isLive(container: Container): boolean {
  return container.state.is === "created" || container.state.is === "running";
}
