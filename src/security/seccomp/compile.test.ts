import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { builtinSeccompProfile } from "./builtin-profile.ts";
import { compileSeccomp, kernelVersionFrom, type SeccompTarget } from "./compile.ts";
import type { RuleCondition, SeccompProfile } from "./profile.ts";

const target: SeccompTarget = {
  architecture: "amd64",
  capabilities: new Set(["CAP_CHOWN", "CAP_KILL"]),
  kernel: { major: 5, minor: 10 },
};

function profileWith(condition: { includes?: RuleCondition; excludes?: RuleCondition }): SeccompProfile {
  return { defaultAction: "SCMP_ACT_ERRNO", rules: [{ names: ["read"], action: "SCMP_ACT_ALLOW", ...condition }] };
}

function isKept(condition: { includes?: RuleCondition; excludes?: RuleCondition }): boolean {
  return compileSeccomp(profileWith(condition), target).syscalls?.length === 1;
}

describe("compileSeccomp", () => {
  it("writes a rule as the runtime spec has it, without its conditions", () => {
    const profile: SeccompProfile = {
      defaultAction: "SCMP_ACT_KILL",
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      architectures: ["SCMP_ARCH_X86_64"],
      rules: [
        {
          names: ["read"],
          action: "SCMP_ACT_ERRNO",
          errno: 13,
          args: [{ index: 0, value: 2n ** 64n - 1n, valueTwo: 0n, op: "SCMP_CMP_EQ" }],
          includes: { capabilities: ["CAP_KILL"] },
        },
      ],
    };
    assert.deepEqual(compileSeccomp(profile, target), {
      defaultAction: "SCMP_ACT_KILL",
      architectures: ["SCMP_ARCH_X86_64"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      syscalls: [
        {
          names: ["read"],
          action: "SCMP_ACT_ERRNO",
          errnoRet: 13,
          args: [{ index: 0, value: 2n ** 64n - 1n, valueTwo: 0n, op: "SCMP_CMP_EQ" }],
        },
      ],
    });
  });

  it("keeps a rule when all inclusions and no exclusion hold", () => {
    assert.ok(isKept({}));
    assert.ok(isKept({ includes: { capabilities: ["CAP_CHOWN", "CAP_KILL"] } }));
    assert.ok(!isKept({ includes: { capabilities: ["CAP_CHOWN", "CAP_BPF"] } }));
    assert.ok(!isKept({ excludes: { capabilities: ["CAP_BPF", "CAP_KILL"] } }));
    assert.ok(isKept({ includes: { architectures: ["amd64", "x32"] } }));
    assert.ok(!isKept({ includes: { architectures: ["arm64"] } }));
    assert.ok(!isKept({ excludes: { architectures: ["amd64"] } }));
    assert.ok(isKept({ includes: { minKernel: { major: 4, minor: 19 } } }));
    assert.ok(isKept({ includes: { minKernel: { major: 5, minor: 10 } } }));
    assert.ok(!isKept({ includes: { minKernel: { major: 5, minor: 11 } } }));
    assert.ok(!isKept({ excludes: { minKernel: { major: 4, minor: 8 } } }));
  });

  it("leaves out a rule that says what the default says", () => {
    const rule = { names: ["read"], action: "SCMP_ACT_ERRNO" } as const;
    const rules = (defaultErrno: number | undefined, errno: number | undefined) =>
      compileSeccomp(
        {
          defaultAction: "SCMP_ACT_ERRNO",
          ...(defaultErrno === undefined ? {} : { defaultErrno }),
          rules: [{ ...rule, ...(errno === undefined ? {} : { errno }) }],
        },
        target,
      ).syscalls?.length;
    assert.equal(rules(38, 38), 0);
    assert.equal(rules(undefined, 1), 0);
    assert.equal(rules(38, undefined), 1);
    assert.equal(rules(38, 1), 1);
  });

  it("asks a listener instead of refusing, but not about calls that do not exist", () => {
    const notify = { listenerPath: "/run/crio/seccomp/id", metadata: "m" };
    const filter = compileSeccomp(builtinSeccompProfile(), { ...target, notify });
    assert.equal(filter.listenerPath, "/run/crio/seccomp/id");
    assert.equal(filter.listenerMetadata, "m");
    assert.equal(filter.defaultAction, "SCMP_ACT_ERRNO");
    const actions = new Set(filter.syscalls?.map((rule) => rule.action));
    assert.deepEqual(actions, new Set(["SCMP_ACT_NOTIFY", "SCMP_ACT_ALLOW"]));
    assert.ok(filter.syscalls?.every((rule) => rule.errnoRet === undefined));
    assert.ok(!filter.syscalls?.some((rule) => rule.names.includes("clone3")));
  });
});

describe("kernelVersionFrom", () => {
  it("reads what uname says", () => {
    assert.deepEqual(kernelVersionFrom("6.12.41+deb13-amd64"), { major: 6, minor: 12 });
    assert.deepEqual(kernelVersionFrom("nonsense"), { major: 0, minor: 0 });
  });
});
