import { Fault } from "../../base/index.ts";
import type {
  IdMapping,
  LinuxResources,
  NamespaceMode,
  NamespaceOptions,
  SecurityProfile,
  SeLinuxOptions,
} from "../../state/index.ts";
import type * as api from "../generated/api.ts";

/* The parts that pod and container configurations share, from protobuf to values. */

const modes: readonly NamespaceMode[] = ["pod", "container", "node", "target"];

export function namespaceModeOf(mode: number): NamespaceMode {
  return modes[mode] ?? "pod";
}

/** Absent options are those of proto3's zeros: everything shared within the pod. */
export function namespaceOptionsOf(options: api.NamespaceOption | undefined): NamespaceOptions {
  if (options === undefined) return { network: "pod", pid: "pod", ipc: "pod", targetId: "" };
  const userns = options.usernsOptions;
  return {
    network: namespaceModeOf(options.network),
    pid: namespaceModeOf(options.pid),
    ipc: namespaceModeOf(options.ipc),
    targetId: options.targetId,
    ...(userns === undefined
      ? {}
      : {
          userns: {
            mode: namespaceModeOf(userns.mode),
            uids: idMappingsOf(userns.uids),
            gids: idMappingsOf(userns.gids),
          },
        }),
  };
}

export function idMappingsOf(mappings: readonly api.IDMapping[]): readonly IdMapping[] {
  return mappings.map(({ hostId, containerId, length }) => ({ hostId, containerId, length }));
}

export function selinuxOf(options: api.SELinuxOption | undefined): SeLinuxOptions | undefined {
  return options === undefined
    ? undefined
    : { user: options.user, role: options.role, type: options.type, level: options.level };
}

/** The kinds of `SecurityProfile.ProfileType`, by number. */
export function securityProfileOf(profile: api.SecurityProfile | undefined): SecurityProfile | undefined {
  if (profile === undefined) return undefined;
  switch (profile.profileType) {
    case 0:
      return { is: "runtime-default" };
    case 1:
      return { is: "unconfined" };
    case 2:
      return { is: "localhost", ref: profile.localhostRef };
    default:
      throw new Fault("invalid", `unknown security profile type ${profile.profileType}`);
  }
}

export function linuxResourcesOf(resources: api.LinuxContainerResources | undefined): LinuxResources | undefined {
  if (resources === undefined) return undefined;
  return {
    cpuPeriod: resources.cpuPeriod,
    cpuQuota: resources.cpuQuota,
    cpuShares: resources.cpuShares,
    memoryLimitInBytes: resources.memoryLimitInBytes,
    oomScoreAdj: resources.oomScoreAdj,
    cpusetCpus: resources.cpusetCpus,
    cpusetMems: resources.cpusetMems,
    hugepageLimits: resources.hugepageLimits.map(({ pageSize, limit }) => ({ pageSize, limit })),
    unified: resources.unified,
    memorySwapLimitInBytes: resources.memorySwapLimitInBytes,
  };
}

/** The field `key` with `value`, or nothing where there is no value: for optional fields. */
export function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  if (value === undefined) return {};
  const field: { [P in K]?: V } = {};
  field[key] = value;
  return field;
}
