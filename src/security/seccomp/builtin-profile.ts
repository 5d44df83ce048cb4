import { constants } from "node:os";
import type { Capability } from "../capabilities.ts";
import { allowedSyscalls } from "./allowed-syscalls.ts";
import { namespaceRules } from "./namespace-rules.ts";
import type { ArchitectureMap, SeccompProfile, SeccompRule } from "./profile.ts";
import { refusedSyscalls } from "./refused-syscalls.ts";
import { allow, refuse } from "./rule.ts";
import { socketRules } from "./socket-rules.ts";

const { ENOSYS } = constants.errno;

/**
 * The profile of containers that ask for RuntimeDefault where the configuration names none (reference: annotations-and-features.md
 * 5): what is not listed answers ENOSYS, so that a libc that tries something newer falls back. Each system call meets at most one
 * rule for given arguments, since runtimes disagree on which of two would win.
 */
export function builtinSeccompProfile(): SeccompProfile {
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrno: ENOSYS,
    architectureMaps,
    rules: [
      refuse(refusedSyscalls),
      allow(allowedSyscalls),
      ...personalityRules(),
      ...architectureRules(),
      ...capabilityRules(),
      ...namespaceRules(),
      ...socketRules(),
    ],
  };
}

const architectureMaps: readonly ArchitectureMap[] = [
  { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
  { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
  { architecture: "SCMP_ARCH_MIPS64", subArchitectures: ["SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64N32"] },
  { architecture: "SCMP_ARCH_MIPS64N32", subArchitectures: ["SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64"] },
  { architecture: "SCMP_ARCH_MIPSEL64", subArchitectures: ["SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64N32"] },
  { architecture: "SCMP_ARCH_MIPSEL64N32", subArchitectures: ["SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64"] },
  { architecture: "SCMP_ARCH_S390X", subArchitectures: ["SCMP_ARCH_S390"] },
];

/** Linux, Linux for 32-bit programs, either one as version 2.6, and the question which one it is. */
function personalityRules(): readonly SeccompRule[] {
  return [0x0n, 0x8n, 0x2_0000n, 0x2_0008n, 0xffff_ffffn].map((value) =>
    allow(["personality"], { args: [{ index: 0, value, op: "SCMP_CMP_EQ" }] }),
  );
}

function architectureRules(): readonly SeccompRule[] {
  return [
    allow(["sync_file_range2", "swapcontext"], { includes: { architectures: ["ppc64le"] } }),
    allow(["arm_fadvise64_64", "arm_sync_file_range", "breakpoint", "cacheflush", "set_tls", "sync_file_range2"], {
      includes: { architectures: ["arm", "arm64"] },
    }),
    allow(["arch_prctl"], { includes: { architectures: ["amd64", "x32"] } }),
    allow(["modify_ldt"], { includes: { architectures: ["amd64", "x32", "x86"] } }),
    allow(["s390_pci_mmio_read", "s390_pci_mmio_write", "s390_runtime_instr"], {
      includes: { architectures: ["s390", "s390x"] },
    }),
    allow(["riscv_flush_icache"], { includes: { architectures: ["riscv64"] } }),
  ];
}

/** Allowed with the capability, "not permitted" without. */
function capabilityRules(): readonly SeccompRule[] {
  return [
    ...withCapability(["CAP_DAC_READ_SEARCH"], ["open_by_handle_at"]),
    ...withCapability(
      ["CAP_SYS_ADMIN"],
      ["lookup_dcookie", "quotactl", "quotactl_fd", "setdomainname", "sethostname", "setns"],
    ),
    ...withCapability(["CAP_SYS_ADMIN", "CAP_BPF"], ["bpf"]),
    ...withCapability(["CAP_SYS_ADMIN", "CAP_PERFMON"], ["perf_event_open"]),
    ...withCapability(["CAP_SYS_CHROOT"], ["chroot"]),
    ...withCapability(["CAP_SYS_MODULE"], ["delete_module", "finit_module", "init_module", "query_module"]),
    ...withCapability(["CAP_SYS_PACCT"], ["acct"]),
    ...withCapability(["CAP_SYS_PTRACE"], ["kcmp", "process_madvise"]),
    ...withCapability(["CAP_SYS_RAWIO"], ["ioperm", "iopl"]),
    ...withCapability(["CAP_SYS_TIME"], ["clock_settime", "clock_settime64", "settimeofday", "stime"]),
    ...withCapability(["CAP_SYS_TTY_CONFIG"], ["vhangup"]),
  ];
}

function withCapability(anyOf: readonly Capability[], names: readonly string[]): readonly SeccompRule[] {
  return [
    // One rule for each capability that is the first present, so that a container with several of them meets only one.
    ...anyOf.map((capability, i) =>
      allow(names, {
        includes: { capabilities: [capability] },
        ...(i === 0 ? {} : { excludes: { capabilities: anyOf.slice(0, i) } }),
      }),
    ),
    refuse(names, { excludes: { capabilities: anyOf } }),
  ];
}
