import type { LinuxSeccompArgument, SeccompAction } from "../../oci/index.ts";

/**
 * A seccomp profile in the form of Docker and containers/common: rules that hold for some capabilities, architectures or kernels
 * only, to be compiled (compile.ts) into the filter of one container.
 */
export interface SeccompProfile {
  readonly defaultAction: SeccompAction;
  readonly defaultErrno?: number;
  /** Which other architectures a native one brings along, such as 32-bit x86 on x86_64. */
  readonly architectureMaps?: readonly ArchitectureMap[];
  /** Or simply the list. */
  readonly architectures?: readonly string[];
  readonly rules: readonly SeccompRule[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
}

export interface ArchitectureMap {
  /** `SCMP_ARCH_X86_64` and the like. */
  readonly architecture: string;
  readonly subArchitectures: readonly string[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly errno?: number;
  readonly args?: readonly LinuxSeccompArgument[];
  /** All of these must hold … */
  readonly includes?: RuleCondition;
  /** … and none of these. */
  readonly excludes?: RuleCondition;
}

export interface RuleCondition {
  readonly capabilities?: readonly string[];
  /** As Go names them (`amd64`), or `x86`, `x32`. */
  readonly architectures?: readonly string[];
  readonly minKernel?: KernelVersion;
}

export interface KernelVersion {
  readonly major: number;
  readonly minor: number;
}
