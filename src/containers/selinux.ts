import { realpath } from "node:fs/promises";
import { Fault, reasonOf } from "../base/index.ts";
import { type Relabeller, seLinuxLabelOf } from "../host/index.ts";
import { featureAnnotation, featureValue } from "../oci/index.ts";
import {
  freeSeLinuxLevel,
  mergedSeLinuxOptions,
  noSeLinuxLabels,
  parseSeLinuxLabel,
  refuseHostRelabel,
  type SeLinuxLabels,
  type SeLinuxOptions,
  type SeLinuxPolicy,
  seLinuxLabelsFor,
  unconfinedSeLinuxType,
} from "../security/index.ts";
import type { PodFiles, ReadyMount } from "../spec/index.ts";
import type { NamespaceOptions, Pod, Pods } from "../state/index.ts";
import type { ContainerConfig } from "./config.ts";

interface SeLinuxDeps {
  /** Absent: SELinux is off, and everything has no label. */
  readonly policy?: SeLinuxPolicy;
  readonly pods: Pick<Pods, "list">;
  readonly relabeller: Pick<Relabeller, "relabel">;
  /** `hostnetwork_disable_selinux`. */
  readonly hostNetworkDisables: boolean;
}

/** What the labels of a container are, and whether its volumes keep those that they have. */
export interface ContainerLabels extends SeLinuxLabels {
  readonly keepVolumes: boolean;
}

const noOptions: SeLinuxOptions = { user: "", role: "", type: "", level: "" };

/** SELinux labels of pods and containers (reference: cri.md 3, annotations-and-features.md 6). A pod has a level that no other has. */
export class SeLinux {
  readonly #deps: SeLinuxDeps;
  /** Levels of pods that are being made, by the pod. */
  readonly #reserved = new Map<string, string>();

  constructor(deps: SeLinuxDeps) {
    this.#deps = deps;
  }

  /** The labels of a new pod; its level is its own until `release`, and from then on if the pod is in memory. */
  reserve(
    id: string,
    pod: {
      readonly namespaces: NamespaceOptions;
      readonly options: SeLinuxOptions | undefined;
      readonly isVirtualMachine: boolean;
    },
  ): SeLinuxLabels {
    const { policy, pods } = this.#deps;
    if (policy === undefined || sharesWithHost(pod.namespaces)) return noSeLinuxLabels;
    const taken = new Set([...this.#reserved.values(), ...pods.list().map(levelOf)]);
    const level = freeSeLinuxLevel(taken);
    const labels = seLinuxLabelsFor(policy, pod.options ?? noOptions, {
      level,
      isVirtualMachine: pod.isVirtualMachine,
    });
    this.#reserved.set(id, parseSeLinuxLabel(labels.mount).level);
    return labels;
  }

  release(id: string): void {
    this.#reserved.delete(id);
  }

  /** The labels of a container: its pod's, with what its own request says. */
  forContainer(pod: Pod, { security }: Pick<ContainerConfig, "security">): ContainerLabels {
    const { policy, hostNetworkDisables } = this.#deps;
    const label = pod.spec.process?.selinuxLabel ?? "";
    const { namespaceOptions, hostNetwork } = pod.record;
    if (
      policy === undefined ||
      label === "" ||
      sharesWithHost(security.namespaces) ||
      sharesWithHost(namespaceOptions)
    ) {
      return { ...noSeLinuxLabels, keepVolumes: true };
    }
    const options = mergedSeLinuxOptions(parseSeLinuxLabel(label), security.selinux);
    const labels = seLinuxLabelsFor(policy, options, { level: options.level, isVirtualMachine: false });
    const isUnconfined = security.privileged || (hostNetwork && hostNetworkDisables);
    return {
      process: isUnconfined ? "" : labels.process,
      mount: labels.mount,
      keepVolumes: options.type === unconfinedSeLinuxType,
    };
  }

  /** Gives what crio has made for a container its label. */
  async label(paths: readonly string[], label: string): Promise<void> {
    if (label === "") return;
    for (const path of paths) await this.#deps.relabeller.relabel(path, label);
  }

  /**
   * Gives volumes the label of a container, all the way down; where the pod says so only those whose top has another one. Rejects with
   * Fault("denied") for what belongs to the host.
   */
  async relabel(paths: readonly string[], label: string, pod: Pod): Promise<void> {
    if (label === "") return;
    const isSkipping = featureValue(pod.record.annotations, featureAnnotation.trySkipVolumeSelinuxLabel) === "true";
    for (const named of paths) {
      try {
        const path = await realpath(named);
        refuseHostRelabel(path);
        if (!isSkipping || seLinuxLabelOf(path) !== label) await this.#deps.relabeller.relabel(path, label);
      } catch (error) {
        const code = error instanceof Fault ? error.code : "failed";
        throw new Fault(code, `relabel failed ${named}: ${reasonOf(error)}`, { cause: error });
      }
    }
  }
}

/** The mounts of a container whose sources crio has made, as opposed to the request's. */
export function ownSources(mounts: {
  readonly podFiles: PodFiles;
  readonly generated: readonly ReadyMount[];
  readonly volumes: readonly ReadyMount[];
  readonly last: readonly ReadyMount[];
}): readonly string[] {
  const { resolvPath, hostnamePath, containerEnvPath } = mounts.podFiles;
  const made = [...mounts.generated, ...mounts.volumes, ...mounts.last].map(({ source }) => source ?? "");
  return [resolvPath, hostnamePath, containerEnvPath, ...made].filter((path) => path !== "");
}

function sharesWithHost({ pid, ipc }: NamespaceOptions): boolean {
  return pid === "node" || ipc === "node";
}

function levelOf({ spec }: Pod): string {
  const label = spec.process?.selinuxLabel ?? "";
  return label === "" ? "" : label.split(":").slice(3).join(":");
}
