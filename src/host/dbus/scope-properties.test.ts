import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../../base/index.ts";
import { encodeValues } from "./encode.ts";
import { type ScopePlan, scopeProperties } from "./scope-properties.ts";
import { parseUnitName } from "./unit-name.ts";

const slice = parseUnitName("system.slice");

describe("the properties of a scope", () => {
  it("have the types that systemd declares", () => {
    const properties = scopeProperties({
      pids: [42],
      slice,
      delegate: true,
      defaultDependencies: false,
      killSignal: 13,
      after: [parseUnitName("crio.service")],
      cpuShares: 512n,
      allowedCpus: Uint8Array.of(3),
    });
    const shown = properties.map(([name, { signature }]) => `${name} ${signature}`);
    assert.deepEqual(shown, [
      "Slice s",
      "PIDs au",
      "Delegate b",
      "DefaultDependencies b",
      "KillSignal i",
      "After as",
      "CPUShares t",
      "AllowedCPUs ay",
    ]);
    encodeValues("a(sv)", [properties]);
  });

  it("give a quota in whole percents of a second, rounded up, and infinity for none", () => {
    const quota = (quotaMicros: bigint, periodMicros = 100_000n) =>
      new Map(scopeProperties({ pids: [1], slice, cpuQuota: { quotaMicros, periodMicros } })).get("CPUQuotaPerSecUSec")
        ?.value;
    assert.equal(quota(50_000n), 500_000n);
    assert.equal(quota(10_001n), 110_000n);
    assert.equal(quota(-1n), 2n ** 64n - 1n);
  });

  it("are refused out of range, above all a pid of 0, which would be the caller", () => {
    const wrong: readonly Partial<ScopePlan>[] = [
      { pids: [] },
      { pids: [0] },
      { pids: [-1] },
      { pids: [1.5] },
      { cpuShares: 1n },
      { cpuWeight: 10_001n },
      { cpuQuota: { quotaMicros: 1n, periodMicros: 0n } },
    ];
    for (const part of wrong) {
      assert.throws(
        () => scopeProperties({ pids: [42], slice, ...part }),
        (error) => isFault(error, "invalid"),
      );
    }
  });
});

describe("a unit name", () => {
  it("is refused with anything but systemd's characters and a known suffix", () => {
    for (const name of [
      "",
      ".scope",
      "a b.scope",
      "a/b.slice",
      "a\n.scope",
      "a.scope\n",
      "é.slice",
      "a.mount",
      "%n.slice",
      `${"a".repeat(250)}.slice`,
    ]) {
      assert.throws(
        () => parseUnitName(name),
        (error) => isFault(error, "invalid"),
        JSON.stringify(name),
      );
    }
    assert.equal(parseUnitName("kubepods-besteffort-pod1_2\\x2d.slice"), "kubepods-besteffort-pod1_2\\x2d.slice");
  });
});
