import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../../base/index.ts";
import { maxSeccompProfileBytes, parseSeccompProfile } from "./parse.ts";

function parse(text: string) {
  return parseSeccompProfile(Buffer.from(text));
}

const minimal = { defaultAction: "SCMP_ACT_ALLOW" };

describe("parseSeccompProfile", () => {
  it("reads Docker's form, conditions and all", () => {
    const profile = parse(`{
      "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "comment": "ignored",
      "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
      "syscalls": [
        {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": null, "includes": {}, "excludes": {}},
        {"name": "clone", "action": "SCMP_ACT_ERRNO", "errno": "EPERM",
         "args": [{"index": 0, "value": 18446744073709551615, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
         "includes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["amd64"], "minKernel": "4.8"},
         "excludes": {"caps": ["kill"]}}
      ]}`);
    assert.deepEqual(profile, {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrno: 38,
      architectureMaps: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }],
      flags: [],
      rules: [
        { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
        {
          names: ["clone"],
          action: "SCMP_ACT_ERRNO",
          errno: 1,
          args: [{ index: 0, value: 18446744073709551615n, valueTwo: 0n, op: "SCMP_CMP_MASKED_EQ" }],
          includes: { capabilities: ["CAP_SYS_ADMIN"], architectures: ["amd64"], minKernel: { major: 4, minor: 8 } },
          excludes: { capabilities: ["CAP_KILL"] },
        },
      ],
    });
  });

  it("reads the runtime spec's form", () => {
    const profile = parse(`{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_AARCH64"],
      "flags": ["SECCOMP_FILTER_FLAG_LOG"], "listenerPath": "/run/x.sock", "listenerMetadata": "m", "syscalls": null}`);
    assert.deepEqual(profile, {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_AARCH64"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      rules: [],
      listenerPath: "/run/x.sock",
      listenerMetadata: "m",
    });
  });

  const rule = { names: ["read"], action: "SCMP_ACT_ALLOW" };
  for (const bad of [
    [],
    {},
    { defaultAction: "ALLOW" },
    { defaultAction: "constructor" },
    { ...minimal, defaultErrnoRet: -1 },
    { ...minimal, defaultErrnoRet: 1.5 },
    { ...minimal, defaultErrno: "ENOTHING" },
    { ...minimal, defaultErrno: "toString" },
    { ...minimal, architectures: ["SCMP_ARCH_X86"], archMap: [{ architecture: "SCMP_ARCH_X86" }] },
    { ...minimal, architectures: ["x86"] },
    { ...minimal, flags: ["LOG"] },
    { ...minimal, syscalls: {} },
    { ...minimal, syscalls: ["read"] },
    { ...minimal, syscalls: [{ ...rule, action: "allow" }] },
    { ...minimal, syscalls: [{ ...rule, name: "write" }] },
    { ...minimal, syscalls: [{ ...rule, names: ["read\n"] }] },
    { ...minimal, syscalls: [{ ...rule, names: [""] }] },
    { ...minimal, syscalls: [{ ...rule, names: [3] }] },
    { ...minimal, syscalls: [{ ...rule, args: [{ index: 6, op: "SCMP_CMP_EQ" }] }] },
    { ...minimal, syscalls: [{ ...rule, args: [{ index: 0, op: "==" }] }] },
    { ...minimal, syscalls: [{ ...rule, args: [{ index: 0, value: -1, op: "SCMP_CMP_EQ" }] }] },
    { ...minimal, syscalls: [{ ...rule, args: [{ index: 0, value: "1", op: "SCMP_CMP_EQ" }] }] },
    { ...minimal, syscalls: [{ ...rule, args: [{ index: 0, value: 1.5, op: "SCMP_CMP_EQ" }] }] },
    { ...minimal, syscalls: [{ ...rule, includes: { minKernel: "five" } }] },
    { ...minimal, syscalls: [{ ...rule, includes: { caps: "CAP_KILL" } }] },
  ]) {
    it(`refuses ${JSON.stringify(bad)}`, () => {
      assert.throws(
        () => parse(JSON.stringify(bad)),
        (error) => isFault(error, "invalid"),
      );
    });
  }

  it("refuses numbers beyond 64 bits", () => {
    const text = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG",
      "args":[{"index":0,"value":18446744073709551616,"op":"SCMP_CMP_EQ"}]}]}`;
    assert.throws(
      () => parse(text),
      (error) => isFault(error, "invalid"),
    );
  });

  it("refuses what is not JSON, or too large", () => {
    assert.throws(
      () => parse("{"),
      (error) => isFault(error, "invalid"),
    );
    assert.throws(
      () => parseSeccompProfile(Buffer.alloc(maxSeccompProfileBytes + 1, 0x20)),
      (error) => isFault(error, "exhausted"),
    );
  });
});
