import { Fault } from "../../base/index.ts";
import type { PodConfig, PodSecurity } from "../../pods/index.ts";
import type { PodMetadata, Protocol } from "../../state/index.ts";
import type * as api from "../generated/api.ts";
import { linuxResourcesOf, namespaceOptionsOf, optional, securityProfileOf, selinuxOf } from "./request.ts";

const protocols: readonly Protocol[] = ["TCP", "UDP", "SCTP"];

/** A pod's configuration from the request. Missing parts get CRI-O's defaults (reference: cri.md 2.1, step 1). */
export function podConfigOf(config: api.PodSandboxConfig | undefined): PodConfig {
  if (config === undefined) throw new Fault("invalid", "setting sandbox config: config is nil");
  const { dnsConfig, linux } = config;
  return {
    metadata: podMetadataOf(config.metadata),
    hostname: config.hostname,
    logDirectory: config.logDirectory,
    ...optional(
      "dns",
      dnsConfig && { servers: dnsConfig.servers, searches: dnsConfig.searches, options: dnsConfig.options },
    ),
    portMappings: config.portMappings.map((mapping) => ({
      protocol: protocols[mapping.protocol] ?? "TCP",
      containerPort: mapping.containerPort,
      hostPort: mapping.hostPort,
      hostIp: mapping.hostIp,
    })),
    labels: config.labels,
    annotations: config.annotations,
    cgroupParent: linux?.cgroupParent ?? "",
    sysctls: linux?.sysctls ?? {},
    security: podSecurityOf(linux?.securityContext),
    ...optional("overhead", linuxResourcesOf(linux?.overhead)),
    ...optional("resources", linuxResourcesOf(linux?.resources)),
  };
}

export function podMetadataOf(metadata: api.PodSandboxMetadata | undefined): PodMetadata {
  if (metadata === undefined) throw new Fault("invalid", "setting sandbox config: metadata is nil");
  if (metadata.name === "") throw new Fault("invalid", "setting sandbox config: metadata.Name should not be empty");
  const { name, uid, namespace, attempt } = metadata;
  return { name, uid, namespace, attempt };
}

function podSecurityOf(context: api.LinuxSandboxSecurityContext | undefined): PodSecurity {
  if (context === undefined) {
    return {
      namespaces: namespaceOptionsOf(undefined),
      runAsUser: 0n,
      runAsGroup: 0n,
      readonlyRootfs: false,
      supplementalGroups: [],
      privileged: false,
      seccomp: { is: "runtime-default" },
      apparmor: { is: "runtime-default" },
    };
  }
  return {
    namespaces: namespaceOptionsOf(context.namespaceOptions),
    ...optional("selinux", selinuxOf(context.selinuxOptions)),
    ...optional("runAsUser", context.runAsUser?.value),
    ...optional("runAsGroup", context.runAsGroup?.value),
    readonlyRootfs: context.readonlyRootfs,
    supplementalGroups: context.supplementalGroups,
    privileged: context.privileged,
    ...optional("seccomp", securityProfileOf(context.seccomp)),
    ...optional("apparmor", securityProfileOf(context.apparmor)),
  };
}
