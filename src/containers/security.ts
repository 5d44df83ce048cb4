import { Fault, reasonOf } from "../base/index.ts";
import type { LinuxSeccomp } from "../oci/index.ts";
import {
  chooseAppArmor,
  chooseSeccomp,
  compileSeccomp,
  defaultAppArmorProfile,
  isAppArmorProfileLoaded,
  kernelVersionFrom,
  loadAppArmorProfile,
  loadSeccompProfile,
  type SeccompProfile,
  wantsArtifactProfile,
} from "../security/index.ts";
import type { SecurityProfile } from "../state/index.ts";
import type { ContainerDeps } from "./deps.ts";

export interface SeccompWish {
  readonly handler: string;
  readonly privileged: boolean;
  /** Absent: the security context says nothing of seccomp. */
  readonly field?: SecurityProfile;
  /** Looks for a profile that annotations name; asked only where they may. */
  readonly artifactProfile?: () => Promise<SeccompProfile | undefined>;
  /** The container's bounding set. */
  readonly capabilities: readonly string[];
}

/** The filter a process gets, if any, and the word that is recorded for it. */
export interface SeccompResult {
  readonly ref: string;
  readonly seccomp?: LinuxSeccomp;
}

type SecurityDeps = Pick<ContainerDeps, "host" | "options" | "seccompProfiles" | "log">;

/** Chooses, reads and compiles the seccomp profile (reference: annotations-and-features.md 5). */
export async function resolveSeccomp(deps: SecurityDeps, wish: SeccompWish): Promise<SeccompResult> {
  const { byHandler, configured } = deps.seccompProfiles;
  const handlerProfile = byHandler.get(wish.handler);
  const artifactProfile = deps.host.seccomp && wantsArtifactProfile(wish) ? await wish.artifactProfile?.() : undefined;
  const choice = chooseSeccomp({
    hostHasSeccomp: deps.host.seccomp,
    privileged: wish.privileged,
    privilegedProfilePath: deps.options.privilegedSeccompProfile,
    ...(wish.field === undefined ? {} : { field: wish.field }),
    ...(artifactProfile === undefined ? {} : { artifactProfile }),
    ...(handlerProfile === undefined ? {} : { handlerProfile }),
    ...(configured === undefined ? {} : { configuredProfile: configured }),
  });
  if (choice.is === "none") {
    if (choice.warning !== undefined) deps.log.warn(choice.warning);
    return { ref: choice.ref };
  }
  const profile = choice.is === "file" ? await loadSeccompProfile(choice.path) : choice.profile;
  return { ref: choice.ref, seccomp: compiled(deps, profile, wish.capabilities) };
}

function compiled(deps: SecurityDeps, profile: SeccompProfile, capabilities: readonly string[]): LinuxSeccomp {
  return compileSeccomp(profile, {
    architecture: deps.host.architecture,
    capabilities: new Set(capabilities),
    kernel: kernelVersionFrom(deps.host.kernelVersion),
  });
}

/**
 * The AppArmor profile of a container, or undefined (reference: annotations-and-features.md 6). Crio's own is loaded when the kernel
 * has lost it; another one must be loaded already.
 */
export async function resolveAppArmor(
  deps: SecurityDeps,
  wish: {
    readonly id: string;
    readonly privileged: boolean;
    readonly field?: SecurityProfile;
    readonly olderField: string;
  },
): Promise<string | undefined> {
  const name = chooseAppArmor({
    hostHasAppArmor: deps.host.apparmor,
    privileged: wish.privileged,
    ...(wish.field === undefined ? {} : { field: wish.field }),
    olderField: wish.olderField,
    configured: deps.options.apparmorProfile,
  });
  if (name === undefined || name === "unconfined" || (await isAppArmorProfileLoaded(name))) return name;
  try {
    if (name !== defaultAppArmorProfile)
      throw new Fault("not-found", `the kernel has no profile ${name}: load it first`);
    await loadAppArmorProfile(name);
  } catch (error) {
    const what = `applying apparmor profile to container ${wish.id}`;
    throw new Fault("failed", `${what}: ${reasonOf(error)}`, { cause: error });
  }
  return name;
}
