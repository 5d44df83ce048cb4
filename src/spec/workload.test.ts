import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { workloadResources } from "./workload.ts";

const none = { cpuset: "", cpushares: 0n, cpuquota: 0n, cpuperiod: 0n };
const table = { cpuset: "0-1", cpushares: 10n, cpuquota: 5000n, cpuperiod: 10_000n };

describe("workloadResources", () => {
  it("is the table without an annotation", () => {
    assert.deepEqual(workloadResources(table, undefined), { cpus: "0-1", shares: 10n, quota: 5000n, period: 10_000n });
    assert.deepEqual(workloadResources(none, undefined), {});
  });

  it("takes the annotation over the table, part by part", () => {
    assert.deepEqual(workloadResources(table, '{"cpushares": 7, "cpuset": ""}'), {
      cpus: "0-1",
      shares: 7n,
      quota: 5000n,
      period: 10_000n,
    });
  });

  it("makes a quota of a limit", () => {
    assert.deepEqual(workloadResources(table, '{"cpulimit": 500}'), {
      cpus: "0-1",
      shares: 10n,
      quota: 5000n,
      period: 10_000n,
    });
    assert.deepEqual(workloadResources(none, '{"cpulimit": 1500}'), { quota: 150_000n, period: 100_000n });
    assert.deepEqual(workloadResources(none, '{"cpulimit": 1}'), { quota: 1000n, period: 100_000n });
  });

  for (const text of [
    "",
    "x",
    "[]",
    '{"cpushares": "7"}',
    '{"cpushares": 1.5}',
    '{"cpushares": -1}',
    '{"cpuset": "x"}',
    '{"cpuset": 1}',
    '{"cpulimit": 1e300}',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => workloadResources(none, text),
        (error) => isFault(error, "invalid"),
      );
    });
  }
});
