import { assertNever, Fault } from "../../base/index.ts";
import { builtinSeccompProfile } from "./builtin-profile.ts";
import type { SeccompProfile } from "./profile.ts";

/** The `seccomp` field of a security context. */
export type SeccompField =
  | { readonly is: "runtime-default" }
  | { readonly is: "unconfined" }
  | { readonly is: "localhost"; readonly ref: string };

export interface SeccompRequest {
  readonly hostHasSeccomp: boolean;
  readonly privileged: boolean;
  /** `privileged_seccomp_profile` of the configuration, "" when it is not set. */
  readonly privilegedProfilePath: string;
  /** Absent: the request has a security context, but says nothing of seccomp. */
  readonly field?: SeccompField;
  /** Profile of an OCI artifact named by an annotation; look for one when `wantsArtifactProfile` says so. */
  readonly artifactProfile?: SeccompProfile;
  /** `seccomp_profile` of the handler and of the configuration, read when they were validated. */
  readonly handlerProfile?: SeccompProfile;
  readonly configuredProfile?: SeccompProfile;
}

export type SeccompChoice =
  | { readonly is: "none"; readonly ref: string; readonly warning?: string }
  | { readonly is: "profile"; readonly ref: string; readonly profile: SeccompProfile }
  /** To be read by `loadSeccompProfile`. */
  | { readonly is: "file"; readonly ref: string; readonly path: string };

/**
 * Which profile a pod or container gets, and the reference that is recorded for it (the table of annotations-and-features.md 5).
 * Rejects with Fault("invalid") for a custom profile on a host that cannot enforce it.
 */
export function chooseSeccomp(request: SeccompRequest): SeccompChoice {
  const field = effectiveField(request);
  if (wantsArtifactProfile(request) && request.artifactProfile !== undefined && request.hostHasSeccomp) {
    return { is: "profile", ref: "", profile: request.artifactProfile };
  }
  if (field === undefined) return { is: "none", ref: "" };
  if (!request.hostHasSeccomp) return withoutSeccomp(field);
  switch (field.is) {
    case "unconfined":
      return { is: "none", ref: "Unconfined" };
    case "runtime-default":
      return {
        is: "profile",
        ref: "RuntimeDefault",
        profile: request.handlerProfile ?? request.configuredProfile ?? builtinSeccompProfile(),
      };
    case "localhost":
      return { is: "file", ref: field.ref, path: field.ref };
    default:
      return assertNever(field);
  }
}

/** Whether annotations may name a profile: only where the request itself confines nothing. */
export function wantsArtifactProfile({ privileged, field }: Pick<SeccompRequest, "privileged" | "field">): boolean {
  return !privileged && (field === undefined || field.is === "unconfined");
}

function effectiveField({ privileged, privilegedProfilePath, field }: SeccompRequest): SeccompField | undefined {
  if (!privileged) return field;
  return privilegedProfilePath === "" ? { is: "unconfined" } : { is: "localhost", ref: privilegedProfilePath };
}

function withoutSeccomp(field: SeccompField): SeccompChoice {
  if (field.is === "localhost") {
    throw new Fault("invalid", "setup seccomp: seccomp is not enabled, cannot run with custom profile");
  }
  return { is: "none", ref: "Unconfined", warning: "Seccomp is not enabled, running without profile" };
}
