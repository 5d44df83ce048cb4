import { constants } from "node:os";
import type { LinuxSeccomp, LinuxSyscallRule, SeccompAction } from "../../oci/index.ts";
import type { KernelVersion, RuleCondition, SeccompProfile, SeccompRule } from "./profile.ts";

export interface SeccompTarget {
  /** As Go names it: `amd64`, `arm64` (`hostPlatform().architecture`). */
  readonly architecture: string;
  /** The container's bounding set. */
  readonly capabilities: ReadonlySet<string>;
  readonly kernel: KernelVersion;
  /** Ask a listener about system calls that would be refused, instead of refusing them. */
  readonly notify?: { readonly listenerPath: string; readonly metadata?: string };
}

const { EPERM } = constants.errno;

/** Go's name → libseccomp's. */
const nativeArchitecture: ReadonlyMap<string, string> = new Map([
  ["amd64", "SCMP_ARCH_X86_64"],
  ["386", "SCMP_ARCH_X86"],
  ["arm64", "SCMP_ARCH_AARCH64"],
  ["arm", "SCMP_ARCH_ARM"],
  ["loong64", "SCMP_ARCH_LOONGARCH64"],
  ["mips64", "SCMP_ARCH_MIPS64"],
  ["mips64le", "SCMP_ARCH_MIPSEL64"],
  ["ppc64le", "SCMP_ARCH_PPC64LE"],
  ["riscv64", "SCMP_ARCH_RISCV64"],
  ["s390x", "SCMP_ARCH_S390X"],
]);

/** What a listener is asked about. */
const refusals: ReadonlySet<SeccompAction> = new Set<SeccompAction>([
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_KILL_THREAD",
]);

/**
 * The filter of one container: the profile's rules that hold for its capabilities, architecture and kernel. Rules that say what
 * the default says anyway are left out, for libseccomp refuses them; so a call that "does not exist" (clone3) never bothers a
 * listener.
 */
export function compileSeccomp(profile: SeccompProfile, target: SeccompTarget): LinuxSeccomp {
  const { notify } = target;
  const rules = profile.rules.filter((rule) => holds(rule, target) && !isDefault(rule, profile)).map(linuxRule);
  const architectures = architecturesFor(profile, target.architecture);
  const listenerPath = notify?.listenerPath ?? profile.listenerPath;
  const listenerMetadata = notify?.metadata ?? profile.listenerMetadata;
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrno === undefined ? {} : { defaultErrnoRet: profile.defaultErrno }),
    ...(architectures.length === 0 ? {} : { architectures }),
    ...(profile.flags === undefined || profile.flags.length === 0 ? {} : { flags: profile.flags }),
    ...(listenerPath === undefined ? {} : { listenerPath }),
    ...(listenerMetadata === undefined ? {} : { listenerMetadata }),
    syscalls: notify === undefined ? rules : rules.map(asked),
  };
}

/** `6.12.3-generic` → 6.12. An unreadable release counts as 0.0, for which no rule with a minimum holds. */
export function kernelVersionFrom(release: string): KernelVersion {
  const [, major = "0", minor = "0"] = /^(\d{1,4})\.(\d{1,6})/.exec(release) ?? [];
  return { major: Number(major), minor: Number(minor) };
}

function holds({ includes, excludes }: SeccompRule, target: SeccompTarget): boolean {
  if (includes !== undefined && !meetsAll(includes, target)) return false;
  return excludes === undefined || !meetsAny(excludes, target);
}

function meetsAll({ capabilities, architectures, minKernel }: RuleCondition, target: SeccompTarget): boolean {
  if (capabilities?.some((name) => !target.capabilities.has(name))) return false;
  if (architectures !== undefined && !hasArchitecture(architectures, target.architecture)) return false;
  return minKernel === undefined || isAtLeast(target.kernel, minKernel);
}

function meetsAny({ capabilities, architectures, minKernel }: RuleCondition, target: SeccompTarget): boolean {
  if (capabilities?.some((name) => target.capabilities.has(name))) return true;
  if (architectures !== undefined && hasArchitecture(architectures, target.architecture)) return true;
  return minKernel !== undefined && isAtLeast(target.kernel, minKernel);
}

function hasArchitecture(architectures: readonly string[], own: string): boolean {
  return architectures.includes(own) || (own === "386" && architectures.includes("x86"));
}

function isAtLeast(kernel: KernelVersion, { major, minor }: KernelVersion): boolean {
  return kernel.major > major || (kernel.major === major && kernel.minor >= minor);
}

function isDefault(rule: SeccompRule, profile: SeccompProfile): boolean {
  if (rule.action !== profile.defaultAction) return false;
  return rule.action !== "SCMP_ACT_ERRNO" || (rule.errno ?? EPERM) === (profile.defaultErrno ?? EPERM);
}

function linuxRule({ names, action, errno, args }: SeccompRule): LinuxSyscallRule {
  return {
    names,
    action,
    ...(errno === undefined ? {} : { errnoRet: errno }),
    ...(args === undefined || args.length === 0 ? {} : { args }),
  };
}

function asked(rule: LinuxSyscallRule): LinuxSyscallRule {
  if (!refusals.has(rule.action)) return rule;
  const { errnoRet: _errnoRet, ...others } = rule;
  return { ...others, action: "SCMP_ACT_NOTIFY" };
}

function architecturesFor({ architectureMaps, architectures }: SeccompProfile, own: string): readonly string[] {
  if (architectureMaps === undefined) return architectures ?? [];
  const native = nativeArchitecture.get(own);
  const map = architectureMaps.find(({ architecture }) => architecture === native);
  return map === undefined ? [] : [map.architecture, ...map.subArchitectures];
}
