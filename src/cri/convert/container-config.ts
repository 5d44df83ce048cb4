import { Fault } from "../../base/index.ts";
import type { ContainerConfig, ContainerSecurity, MountConfig } from "../../containers/index.ts";
import type { MountPropagation } from "../../state/index.ts";
import type * as api from "../generated/api.ts";
import { Signal } from "../generated/api.ts";
import {
  idMappingsOf,
  linuxResourcesOf,
  namespaceOptionsOf,
  optional,
  securityProfileOf,
  selinuxOf,
} from "./request.ts";

const propagations: readonly MountPropagation[] = ["private", "host-to-container", "bidirectional"];

/** A container's configuration from the request. Missing parts get CRI-O's defaults (reference: cri.md 3). */
export function containerConfigOf(config: api.ContainerConfig | undefined): ContainerConfig {
  if (config === undefined) throw new Fault("invalid", "config is nil");
  if (config.image === undefined) throw new Fault("invalid", "config image is nil");
  if (config.metadata === undefined) throw new Fault("invalid", "setting container config: metadata is nil");
  if (config.metadata.name === "") throw new Fault("invalid", "setting container config: name is empty");
  if (config.image.image === "")
    throw new Fault("invalid", "CreateContainerRequest.ContainerConfig.Image.Image is empty");
  return {
    metadata: { name: config.metadata.name, attempt: config.metadata.attempt },
    image: config.image.image,
    userSpecifiedImage: config.image.userSpecifiedImage,
    command: config.command,
    args: config.args,
    workingDir: config.workingDir,
    env: config.envs.map(({ key, value }) => ({ key, value: value.toString() })),
    mounts: config.mounts.map(mountOf),
    devices: config.devices.map(({ containerPath, hostPath, permissions }) => ({
      containerPath,
      hostPath,
      permissions,
    })),
    cdiDevices: config.CDIDevices.map(({ name }) => name),
    labels: config.labels,
    annotations: config.annotations,
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    ...optional("resources", linuxResourcesOf(config.linux?.resources)),
    security: containerSecurityOf(config.linux?.securityContext),
    stopSignal: stopSignalOf(config.stopSignal),
  };
}

function mountOf(mount: api.Mount): MountConfig {
  return {
    containerPath: mount.containerPath,
    hostPath: mount.hostPath,
    readonly: mount.readonly,
    recursiveReadOnly: mount.recursiveReadOnly,
    selinuxRelabel: mount.selinuxRelabel,
    propagation: propagations[mount.propagation] ?? "private",
    uidMappings: idMappingsOf(mount.uidMappings),
    gidMappings: idMappingsOf(mount.gidMappings),
    ...optional("image", mount.image?.image === "" ? undefined : mount.image?.image),
    userSpecifiedImage: mount.image?.userSpecifiedImage ?? "",
    imageSubPath: mount.imageSubPath,
  };
}

function containerSecurityOf(context: api.LinuxContainerSecurityContext | undefined): ContainerSecurity {
  if (context === undefined) {
    return {
      capabilities: { add: [], drop: [], addAmbient: [] },
      privileged: false,
      namespaces: namespaceOptionsOf(undefined),
      runAsUser: 0n,
      runAsGroup: 0n,
      runAsUsername: "",
      readonlyRootfs: false,
      supplementalGroups: [],
      supplementalGroupsPolicy: "merge",
      noNewPrivileges: false,
      maskedPaths: [],
      readonlyPaths: [],
      seccomp: { is: "runtime-default" },
      apparmor: { is: "runtime-default" },
      apparmorProfile: "",
    };
  }
  const { capabilities } = context;
  return {
    capabilities: {
      add: capabilities?.addCapabilities ?? [],
      drop: capabilities?.dropCapabilities ?? [],
      addAmbient: capabilities?.addAmbientCapabilities ?? [],
    },
    privileged: context.privileged,
    namespaces: namespaceOptionsOf(context.namespaceOptions),
    ...optional("selinux", selinuxOf(context.selinuxOptions)),
    ...optional("runAsUser", context.runAsUser?.value),
    ...optional("runAsGroup", context.runAsGroup?.value),
    runAsUsername: context.runAsUsername,
    readonlyRootfs: context.readonlyRootfs,
    supplementalGroups: context.supplementalGroups,
    supplementalGroupsPolicy: supplementalGroupsPolicyOf(context.supplementalGroupsPolicy),
    noNewPrivileges: context.noNewPrivs,
    maskedPaths: context.maskedPaths,
    readonlyPaths: context.readonlyPaths,
    ...optional("seccomp", securityProfileOf(context.seccomp)),
    ...optional("apparmor", securityProfileOf(context.apparmor)),
    apparmorProfile: context.apparmorProfile,
  };
}

function supplementalGroupsPolicyOf(policy: number): "merge" | "strict" {
  if (policy === 0) return "merge";
  if (policy === 1) return "strict";
  throw new Fault("invalid", `not implemented in this CRI-O release: SupplementalGroupsPolicy=${policy}`);
}

/** `SIGNAL_SIGRTMINPLUS3` → `SIGRTMIN+3`; "" for the runtime's default. */
function stopSignalOf(signal: number): string {
  const name = Object.entries(Signal).find(([, value]) => value === signal)?.[0];
  if (name === undefined) throw new Fault("invalid", `unknown stop signal ${signal}`);
  const bare = name.replace(/^SIGNAL_/, "");
  return bare === "RUNTIME_DEFAULT" ? "" : bare.replace("PLUS", "+").replace("MINUS", "-");
}
