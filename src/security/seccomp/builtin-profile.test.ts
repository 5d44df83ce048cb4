import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LinuxSeccomp, LinuxSeccompArgument } from "../../oci/index.ts";
import { knownCapabilities } from "../capabilities.ts";
import { allowedSyscalls } from "./allowed-syscalls.ts";
import { builtinSeccompProfile } from "./builtin-profile.ts";
import { compileSeccomp } from "./compile.ts";
import { refusedSyscalls } from "./refused-syscalls.ts";

const kernel = { major: 6, minor: 12 };

function filterFor(capabilities: Iterable<string> = [], architecture = "amd64"): LinuxSeccomp {
  return compileSeccomp(builtinSeccompProfile(), { architecture, capabilities: new Set(capabilities), kernel });
}

const plain = filterFor();
const full = filterFor(knownCapabilities(40));
const admin = filterFor(["CAP_SYS_ADMIN"]);

/** What the filter answers: "allow", or the errno. Fails when two rules disagree, for runtimes then differ. */
function answer(filter: LinuxSeccomp, name: string, ...args: readonly bigint[]): "allow" | number {
  const rules = (filter.syscalls ?? []).filter((rule) => rule.names.includes(name) && (rule.args ?? []).every(matches));
  const answers = new Set(rules.map((rule) => (rule.action === "SCMP_ACT_ALLOW" ? "allow" : (rule.errnoRet ?? 1))));
  assert.ok(answers.size <= 1, `${name}(${args.join()}) meets rules that disagree`);
  return [...answers][0] ?? filter.defaultErrnoRet ?? 1;

  function matches({ index, op, value, valueTwo }: LinuxSeccompArgument): boolean {
    const actual = args[index] ?? 0n;
    if (op === "SCMP_CMP_EQ") return actual === value;
    assert.equal(op, "SCMP_CMP_MASKED_EQ");
    return (actual & value) === valueTwo;
  }
}

const EPERM = 1;
const EINVAL = 22;
const ENOSYS = 38;

describe("the built-in seccomp profile", () => {
  it("answers ENOSYS for what it does not know", () => {
    assert.equal(plain.defaultAction, "SCMP_ACT_ERRNO");
    assert.equal(answer(plain, "a_call_of_the_future"), ENOSYS);
    assert.equal(answer(plain, "io_uring_setup"), ENOSYS);
    assert.equal(answer(plain, "add_key"), ENOSYS);
  });

  it("names each system call once", () => {
    const names = [...allowedSyscalls, ...refusedSyscalls];
    assert.equal(new Set(names).size, names.length);
    for (const name of names) assert.match(name, /^[a-z0-9_]+$/);
  });

  it("has no two rules that disagree about a call without arguments", () => {
    for (const filter of [plain, full, admin, filterFor(["CAP_BPF"]), filterFor(["CAP_BPF", "CAP_SYS_ADMIN"])]) {
      for (const name of new Set(filter.syscalls?.flatMap((rule) => rule.names))) answer(filter, name);
    }
  });

  it("refuses what belongs to the machine", () => {
    for (const name of ["kexec_load", "swapon", "userfaultfd", "move_pages"]) assert.equal(answer(full, name), EPERM);
  });

  for (const [capability, names] of Object.entries({
    CAP_DAC_READ_SEARCH: ["open_by_handle_at"],
    CAP_SYS_ADMIN: ["bpf", "perf_event_open", "setns", "sethostname", "quotactl", "lookup_dcookie"],
    CAP_BPF: ["bpf"],
    CAP_PERFMON: ["perf_event_open"],
    CAP_SYS_CHROOT: ["chroot"],
    CAP_SYS_MODULE: ["init_module", "finit_module", "delete_module"],
    CAP_SYS_PACCT: ["acct"],
    CAP_SYS_PTRACE: ["kcmp", "process_madvise"],
    CAP_SYS_RAWIO: ["iopl", "ioperm"],
    CAP_SYS_TIME: ["settimeofday", "clock_settime", "stime"],
    CAP_SYS_TTY_CONFIG: ["vhangup"],
  })) {
    it(`opens ${names.join(", ")} with ${capability} alone`, () => {
      for (const name of names) {
        assert.equal(answer(plain, name), EPERM);
        assert.equal(answer(filterFor([capability]), name), "allow");
        assert.equal(answer(full, name), "allow");
      }
    });
  }

  it("lets processes and threads be made, but no namespaces", () => {
    const thread = 0x3d0f00n;
    assert.equal(answer(plain, "clone", thread), "allow");
    assert.equal(answer(plain, "clone", 17n), "allow");
    // SIGCHLD with the bit that is CLONE_NEWTIME elsewhere: a signal number here.
    assert.equal(answer(plain, "clone", 0x91n), "allow");
    for (const flag of [0x20000n, 0x2000000n, 0x4000000n, 0x8000000n, 0x10000000n, 0x20000000n, 0x40000000n]) {
      assert.equal(answer(plain, "clone", flag | 17n), EPERM);
      assert.equal(answer(plain, "clone", flag | 0x10000000n | thread | (1n << 40n)), EPERM);
      assert.equal(answer(plain, "unshare", flag), EPERM);
      assert.equal(answer(admin, "clone", flag), "allow");
      assert.equal(answer(admin, "unshare", flag), "allow");
    }
    assert.equal(answer(plain, "unshare", 0x80n), EPERM);
    assert.equal(answer(plain, "unshare", 0x600n), "allow");
  });

  it("hides clone3 where its flags cannot be looked at", () => {
    assert.equal(answer(plain, "clone3"), ENOSYS);
    assert.equal(answer(admin, "clone3"), "allow");
  });

  it("looks at the second argument of clone on s390", () => {
    const s390x = filterFor([], "s390x");
    assert.equal(answer(s390x, "clone", 0x10000000n, 17n), "allow");
    assert.equal(answer(s390x, "clone", 17n, 0x10000000n), EPERM);
  });

  it("lets any socket be made but those to the hypervisor and to audit", () => {
    const withAudit = filterFor(["CAP_AUDIT_WRITE"]);
    for (let family = 0n; family <= 63n; family++) {
      for (const high of [0n, 1n << 32n]) {
        const expected = family === 40n ? EPERM : "allow";
        assert.equal(answer(plain, "socket", family | high, 1n, 0n), expected, `family ${family}`);
        assert.equal(answer(withAudit, "socket", family | high, 1n, 9n), expected, `family ${family}`);
      }
    }
    for (let protocol = 0n; protocol < 32n; protocol++) {
      for (const high of [0n, 1n << 32n]) {
        const expected = protocol === 9n ? EINVAL : "allow";
        assert.equal(answer(plain, "socket", 16n, 3n, protocol | high), expected, `protocol ${protocol}`);
      }
    }
  });

  it("knows the personalities of Linux only", () => {
    for (const value of [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn])
      assert.equal(answer(plain, "personality", value), "allow");
    assert.equal(answer(plain, "personality", 0x0400000n), ENOSYS);
  });

  it("brings the architectures' other forms and calls", () => {
    assert.deepEqual(plain.architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
    assert.equal(answer(plain, "arch_prctl"), "allow");
    const arm64 = filterFor([], "arm64");
    assert.deepEqual(arm64.architectures, ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
    assert.equal(answer(arm64, "arch_prctl"), ENOSYS);
    assert.equal(answer(arm64, "cacheflush"), "allow");
    assert.equal(filterFor([], "riscv64").architectures, undefined);
  });
});
