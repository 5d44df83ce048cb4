import { access } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Config, parseDevice, parseUlimit, type Workload as WorkloadConfig } from "../config/index.ts";
import type { ContainerDeps, Workload } from "../containers/index.ts";
import { loadSeccompProfile, type SeccompProfile } from "../security/index.ts";

/** The daemon's options that containers depend on. */
export function containerOptions(config: Config): ContainerDeps["options"] {
  const { runtime, image, crio } = config;
  return {
    exitsDir: runtime.containerExitsDir,
    attachDir: runtime.containerAttachSocketDir,
    execDir: execDirectory(runtime.containerExitsDir),
    namespacesDir: runtime.namespacesDir,
    logDir: crio.logDir,
    logLevel: () => runtime.logLevel,
    logSizeMax: runtime.logSizeMax,
    logToJournald: runtime.logToJournald,
    noPivot: runtime.noPivot,
    readOnly: runtime.readOnly,
    pidsLimit: runtime.pidsLimit,
    defaultCapabilities: runtime.defaultCapabilities,
    addInheritableCapabilities: runtime.addInheritableCapabilities,
    defaultEnv: runtime.defaultEnv,
    defaultUlimits: runtime.defaultUlimits.map(parseUlimit),
    additionalDevices: runtime.additionalDevices.map(parseDevice).map(({ source, destination, permissions }) => ({
      hostPath: source,
      containerPath: destination,
      permissions,
    })),
    allowedDevices: runtime.allowedDevices,
    cdiSpecDirs: runtime.cdiSpecDirs,
    workloads: [...config.workloads.values()].map(workloadFrom),
    infraCpuset: runtime.infraCtrCpuset,
    bindMountPrefix: runtime.bindMountPrefix,
    absentMountSourcesToReject: runtime.absentMountSourcesToReject,
    defaultMountsFile: runtime.defaultMountsFile,
    timeZone: { zone: runtime.timezone, zonesDir: process.env.TZDIR || "/usr/share/zoneinfo" },
    minInjectedGomaxprocs: runtime.minInjectedGomaxprocs,
    imageVolumes: imageVolumes(image.imageVolumes),
    artifactMounts: image.ociArtifactMountSupport,
    seccompProfile: runtime.seccompProfile,
    privilegedSeccompProfile: runtime.privilegedSeccompProfile,
    apparmorProfile: runtime.apparmorProfile,
    deviceOwnershipFromSecurityContext: runtime.deviceOwnershipFromSecurityContext,
  };
}

/** CRI-O makes it too, beside the directory of exits (reference: ondisk.md 1), and puts nothing in it. */
export function execDirectory(exitsDir: string): string {
  return join(dirname(exitsDir), "exec-pid-dir");
}

function workloadFrom(workload: WorkloadConfig): Workload {
  const { cpuset = "", cpushares = 0n, cpuquota = 0n, cpuperiod = 0n } = workload.resources ?? {};
  return { ...workload, resources: { cpuset, cpushares, cpuquota, cpuperiod } };
}

/** The profiles that are configured to stand for RuntimeDefault. A missing one of the node counts as not configured. */
export async function seccompProfiles({ runtime, runtimes }: Config): Promise<ContainerDeps["seccompProfiles"]> {
  const byHandler = new Map<string, SeccompProfile>();
  for (const [name, { seccompProfile }] of runtimes) {
    if (seccompProfile !== "") byHandler.set(name, await loadSeccompProfile(seccompProfile));
  }
  const path = runtime.seccompProfile;
  const isThere =
    path !== "" &&
    (await access(path).then(
      () => true,
      () => false,
    ));
  return isThere ? { byHandler, configured: await loadSeccompProfile(path) } : { byHandler };
}

function imageVolumes(text: string): "mkdir" | "bind" | "ignore" {
  return text === "bind" || text === "ignore" ? text : "mkdir";
}
