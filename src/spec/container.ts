import { ociVersion, type RuntimeSpec } from "../oci/index.ts";
import { specAnnotations } from "./annotations.ts";
import { containerMounts } from "./container-mounts.ts";
import { planDevices } from "./devices.ts";
import { linuxIdMaps, linuxNamespaces } from "./namespaces.ts";
import { refuseNul } from "./paths.ts";
import type { ContainerSpecPlan } from "./plan.ts";
import { linuxProcess, processArgs, processCwd, processEnv } from "./process.ts";
import { linuxResources, requestedOomScoreAdj } from "./resources.ts";
import { releaseAgentPath, runsSystemd } from "./systemd-mode.ts";

/**
 * The `config.json` of a container (reference: cri.md 3), as a function of the plan alone. Rejects with Fault("invalid") for what
 * the request asks and cannot have. CDI, NRI and high-performance changes come after (edits.ts).
 */
export function buildContainerSpec(plan: ContainerSpecPlan): RuntimeSpec {
  const { host, privileged, confinement, namespaces } = plan;
  const args = processArgs(plan.command);
  const systemd = runsSystemd(args);
  const devices = planDevices(plan.devices, { privileged });
  const propagation = plan.mounts.requested.rootfsPropagation;
  refuseNul(plan.hostname, "the hostname");
  return {
    ociVersion,
    process: linuxProcess({
      args,
      env: processEnv(plan.command, plan.hostname),
      cwd: processCwd(plan.command),
      terminal: plan.command.tty,
      user: plan.user,
      rlimits: plan.rlimits,
      oomScoreAdj: requestedOomScoreAdj(plan.resources.requested),
      confinement,
      host,
    }),
    root: plan.rootfs,
    hostname: plan.hostname,
    mounts: containerMounts(plan.mounts, {
      host,
      privileged,
      readonlyRootfs: plan.rootfs.readonly,
      hostNetwork: namespaces.network.is === "host",
      hasUserNamespace: namespaces.user !== undefined,
      runsSystemd: systemd,
    }),
    ...(plan.hooks === undefined ? {} : { hooks: plan.hooks }),
    annotations: specAnnotations(plan.annotations),
    linux: {
      ...linuxIdMaps(namespaces),
      resources: linuxResources(plan.resources, {
        id: plan.id,
        host,
        deviceRules: devices.rules,
        blockIo: plan.blockIo,
      }),
      cgroupsPath: plan.cgroupsPath,
      namespaces: linuxNamespaces(namespaces, { privateCgroup: host.cgroupVersion === 2 && !privileged }),
      ...(devices.devices.length === 0 ? {} : { devices: devices.devices }),
      ...(confinement.seccomp === undefined ? {} : { seccomp: confinement.seccomp }),
      ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
      ...pathsOf(plan, systemd),
      ...(confinement.mountLabel === "" ? {} : { mountLabel: confinement.mountLabel }),
      ...(plan.rdtClass === undefined ? {} : { intelRdt: { closID: plan.rdtClass } }),
    },
  };
}

/** What is worth a warning about a plan that is carried out all the same. */
export function containerWarnings({ privileged, confinement }: ContainerSpecPlan): readonly string[] {
  const isAdmin = confinement.capabilities.effective?.includes("CAP_SYS_ADMIN") ?? false;
  return [
    ...(confinement.noNewPrivileges && privileged ? ["no_new_privs has little effect on a privileged container"] : []),
    ...(confinement.noNewPrivileges && !privileged && isAdmin
      ? ["no_new_privs has little effect on a container with CAP_SYS_ADMIN"]
      : []),
  ];
}

function pathsOf({ confinement, privileged, host }: ContainerSpecPlan, systemd: boolean) {
  const masked = [
    ...(privileged ? [] : confinement.maskedPaths),
    ...(systemd && host.cgroupVersion === 1 ? [releaseAgentPath] : []),
  ];
  const readonly = privileged ? [] : confinement.readonlyPaths;
  return {
    ...(masked.length === 0 ? {} : { maskedPaths: masked }),
    ...(readonly.length === 0 ? {} : { readonlyPaths: readonly }),
  };
}
