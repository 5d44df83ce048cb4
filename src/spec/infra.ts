import { Fault } from "../base/index.ts";
import { type ImageRunConfig, ociVersion, type RuntimeSpec } from "../oci/index.ts";
import { specAnnotations } from "./annotations.ts";
import { fileMount } from "./container-mounts.ts";
import { withMounts } from "./mount-list.ts";
import { linuxIdMaps, linuxNamespaces } from "./namespaces.ts";
import type { InfraSpecPlan, ReadyMount } from "./plan.ts";
import { linuxProcess, mergedEnv } from "./process.ts";
import { denyAllDevices, templateEnv, templateMounts } from "./template.ts";

/** The infra process must be the last one that memory is taken from, and needs next to no CPU. */
const infraOomScoreAdj = -998;
const infraCpuShares = 2n;

/**
 * The argument vector of the infra container: `pause_command` when there is one, else what the pause image says. Rejects with
 * Fault("invalid").
 */
export function infraArgs(
  pauseCommand: string,
  { image, name }: { readonly image: Pick<ImageRunConfig, "Entrypoint" | "Cmd">; readonly name: string },
): readonly string[] {
  if (pauseCommand !== "") return [pauseCommand];
  const args = [...image.Entrypoint, ...image.Cmd];
  if (args.length > 0) return args;
  throw new Fault("invalid", `unable to run pause image "${name}": neither Cmd nor Entrypoint specified`);
}

/** The `config.json` of a pod's infra container, written also where no process will run by it (reference: cri.md 2.1). */
export function buildInfraSpec(plan: InfraSpecPlan): RuntimeSpec {
  const { namespaces, host } = plan;
  return {
    ociVersion,
    process: linuxProcess({
      args: plan.args,
      env: mergedEnv([...templateEnv]),
      cwd: "/",
      terminal: false,
      user: { uid: 0, gid: 0, additionalGids: [] },
      rlimits: plan.rlimits,
      oomScoreAdj: infraOomScoreAdj,
      confinement: { capabilities: plan.capabilities, noNewPrivileges: false, selinuxLabel: plan.selinuxLabel },
      host,
    }),
    root: { path: plan.rootfsPath, readonly: true },
    hostname: plan.hostname,
    mounts: infraMounts(plan),
    ...(plan.hooks === undefined ? {} : { hooks: plan.hooks }),
    annotations: specAnnotations({ ...plan.annotations, container: {}, containerName: "POD" }),
    linux: {
      ...linuxIdMaps(namespaces),
      ...(plan.sysctls.length === 0 ? {} : { sysctl: Object.fromEntries(plan.sysctls) }),
      resources: {
        devices: [denyAllDevices],
        cpu: { shares: infraCpuShares, ...(plan.cpuset === "" ? {} : { cpus: plan.cpuset }), ...plan.workload },
      },
      ...(plan.cgroupsPath === undefined ? {} : { cgroupsPath: plan.cgroupsPath }),
      namespaces: linuxNamespaces(namespaces, { privateCgroup: false }),
      ...(plan.seccomp === undefined ? {} : { seccomp: plan.seccomp }),
      ...(plan.mountLabel === "" ? {} : { mountLabel: plan.mountLabel }),
    },
  };
}

function infraMounts({ files, namespaces }: InfraSpecPlan): readonly ReadyMount[] {
  return withMounts(templateMounts, [
    fileMount("/etc/resolv.conf", { source: files.resolvPath, access: "ro", confined: true }),
    fileMount("/dev/shm", { source: files.shmPath, access: "rw" }),
    fileMount("/etc/hostname", { source: files.hostnamePath, access: "ro", confined: true }),
    ...(namespaces.user === undefined ? [] : hostMounts(namespaces)),
  ]);
}

/** A user namespace cannot mount file systems of namespaces that it does not own: it gets the host's. */
function hostMounts({ ipc, network, pid }: InfraSpecPlan["namespaces"]): readonly ReadyMount[] {
  const hostTree = (path: string, access: "ro" | "rw"): ReadyMount => ({
    destination: path,
    type: "bind",
    source: path,
    options: [access, "rbind"],
  });
  return [
    ...(ipc.is === "host" ? [hostTree("/dev/mqueue", "rw")] : []),
    ...(network.is === "host" ? [hostTree("/sys", "ro")] : []),
    ...(pid.is === "host" ? [hostTree("/proc", "rw")] : []),
  ];
}
