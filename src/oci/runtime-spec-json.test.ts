import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import type { RuntimeSpec } from "./runtime-spec.ts";
import { maxRuntimeSpecBytes, parseRuntimeSpec, runtimeJson } from "./runtime-spec-json.ts";

const spec: RuntimeSpec = {
  ociVersion: "1.2.1",
  process: {
    user: { uid: 0, gid: 0, additionalGids: [1, 4294967294] },
    args: ["sh"],
    cwd: "/",
    rlimits: [{ type: "RLIMIT_NOFILE", hard: 18446744073709551615n, soft: 1024n }],
  },
  root: { path: "/merged", readonly: true },
  mounts: [{ destination: "/proc", type: "proc", source: "proc", options: ["nosuid"] }],
  annotations: { "io.container.manager": "cri-o" },
  linux: {
    resources: {
      devices: [{ allow: false, access: "rwm" }],
      memory: { limit: 9223372036854775807n, swap: -1n },
      cpu: { shares: 2n, quota: 0n, period: 100000n, cpus: "0-3" },
      pids: { limit: -1n },
    },
    seccomp: {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 38,
      syscalls: [
        {
          names: ["clone"],
          action: "SCMP_ACT_ALLOW",
          args: [{ index: 0, value: 2114060288n, valueTwo: 0n, op: "SCMP_CMP_MASKED_EQ" }],
        },
      ],
    },
  },
};

describe("runtimeJson and parseRuntimeSpec", () => {
  it("carry every 64-bit number through without loss", () => {
    const text = runtimeJson(spec);
    assert.match(text, /"hard":18446744073709551615,/);
    assert.match(text, /"limit":9223372036854775807,/);
    assert.deepEqual(parseRuntimeSpec(Buffer.from(text)), spec);
  });

  it("read Go's null as absent", () => {
    const parsed = parseRuntimeSpec(Buffer.from('{"ociVersion":"1.2.1","process":null,"linux":{"seccomp":null}}'));
    assert.deepEqual(parsed, { ociVersion: "1.2.1", linux: {} });
  });

  it("keep __proto__ a name like any other", () => {
    const parsed = parseRuntimeSpec(Buffer.from('{"ociVersion":"1.2.1","annotations":{"__proto__":"x"}}'));
    assert.equal(Object.getPrototypeOf(parsed.annotations ?? {}), Object.prototype);
    assert.deepEqual(Object.keys(parsed.annotations ?? {}), ["__proto__"]);
  });

  for (const [text, why] of [
    ["", "not JSON"],
    ["[]", "not an object"],
    ['{"ociVersion":1}', "ociVersion is not a string"],
    ['{"ociVersion":"1","annotations":{"a":1}}', "annotations"],
    ['{"ociVersion":"1","root":{}}', "root"],
    ['{"ociVersion":"1","mounts":[{}]}', "mount"],
    ['{"ociVersion":"1","process":{"cwd":"/","user":{"uid":-1,"gid":0}}}', "ids"],
    ['{"ociVersion":"1","process":{"cwd":"/","user":{},"args":[null]}}', "args"],
    ['{"ociVersion":"1","linux":{"resources":{"memory":{"limit":1.5}}}}', "not an integer"],
    ['{"ociVersion":"1","linux":{"namespaces":[{"path":"/x"}]}}', "namespaces"],
  ] as const) {
    it(`refuses ${text === "" ? "an empty file" : text}`, () => {
      assert.throws(
        () => parseRuntimeSpec(Buffer.from(text)),
        (error) => isFault(error, "corrupt") && error.message.includes(why),
      );
    });
  }

  it("refuses a file beyond the limit before reading it", () => {
    assert.throws(
      () => parseRuntimeSpec(Buffer.alloc(maxRuntimeSpecBytes + 1)),
      (error) => isFault(error, "exhausted"),
    );
  });
});
