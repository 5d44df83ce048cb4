import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import {
  type CapabilityRequest,
  capabilityFrom,
  capabilityNames,
  knownCapabilities,
  resolveCapabilities,
} from "./capabilities.ts";

const all = knownCapabilities(40);
const request: CapabilityRequest = {
  add: [],
  drop: [],
  defaults: ["CAP_CHOWN", "CAP_KILL"],
  privileged: false,
  addInheritable: false,
  host: { known: all, bounding: all },
};

function given(change: Partial<CapabilityRequest>): readonly string[] | undefined {
  return resolveCapabilities({ ...request, ...change }).sets.effective;
}

describe("resolveCapabilities", () => {
  it("gives the defaults in three sets and leaves inheritable and ambient empty", () => {
    const three = ["CAP_CHOWN", "CAP_KILL"];
    assert.deepEqual(resolveCapabilities(request), {
      sets: { bounding: three, effective: three, inheritable: [], permitted: three, ambient: [] },
      withheld: [],
    });
  });

  it("adds and drops by any spelling", () => {
    assert.deepEqual(given({ add: ["net_admin"], drop: ["cap_kill"] }), ["CAP_CHOWN", "CAP_NET_ADMIN"]);
  });

  it("lets drop ALL keep single additions without the defaults", () => {
    assert.deepEqual(given({ add: ["NET_RAW"], drop: ["all"] }), ["CAP_NET_RAW"]);
  });

  it("lets add ALL lose single removals", () => {
    assert.deepEqual(
      given({ add: ["All"], drop: ["CHOWN"] }),
      capabilityNames.filter((name) => name !== "CAP_CHOWN"),
    );
  });

  it("drops rather than adds when a name is on both sides", () => {
    assert.deepEqual(given({ add: ["ALL", "SYS_ADMIN"], drop: ["ALL"] }), ["CAP_SYS_ADMIN"]);
    assert.deepEqual(given({ add: ["SYS_ADMIN"], drop: ["SYS_ADMIN"] }), ["CAP_CHOWN", "CAP_KILL"]);
  });

  it("fills inheritable when the configuration says so", () => {
    assert.deepEqual(resolveCapabilities({ ...request, addInheritable: true }).sets.inheritable, [
      "CAP_CHOWN",
      "CAP_KILL",
    ]);
  });

  it("gives a privileged container all five sets whatever else is asked", () => {
    const { sets } = resolveCapabilities({ ...request, privileged: true, drop: ["ALL"] });
    for (const set of [sets.bounding, sets.effective, sets.inheritable, sets.permitted, sets.ambient]) {
      assert.deepEqual(set, [...capabilityNames]);
    }
  });

  it("withholds what the host itself does not have", () => {
    const bounding = new Set([...all].filter((name) => name !== "CAP_SYS_RESOURCE"));
    const nested = { known: all, bounding };
    const privileged = resolveCapabilities({ ...request, privileged: true, host: nested });
    assert.ok(!privileged.sets.bounding?.includes("CAP_SYS_RESOURCE"));
    assert.deepEqual(privileged.withheld, ["CAP_SYS_RESOURCE"]);
    assert.deepEqual(resolveCapabilities({ ...request, add: ["SYS_RESOURCE"], host: nested }).withheld, [
      "CAP_SYS_RESOURCE",
    ]);
  });

  it("refuses names that the kernel does not know", () => {
    const older = { known: knownCapabilities(37), bounding: knownCapabilities(37) };
    assert.throws(
      () => given({ add: ["bpf"], host: older }),
      (error) => isFault(error, "invalid") && error.message === 'unknown capability "CAP_BPF" to add',
    );
    assert.throws(
      () => given({ drop: ["nonsense"] }),
      (error) => isFault(error, "invalid") && error.message.startsWith("failed to drop cap CAP_NONSENSE"),
    );
  });
});

describe("capabilityFrom", () => {
  it("knows every spelling and nothing else", () => {
    assert.equal(capabilityFrom("sys_admin"), "CAP_SYS_ADMIN");
    assert.equal(capabilityFrom("CAP_SYS_ADMIN"), "CAP_SYS_ADMIN");
    assert.equal(capabilityFrom("ALL"), undefined);
    assert.equal(capabilityFrom("constructor"), undefined);
  });

  it("has the capabilities at their bit numbers", () => {
    assert.equal(capabilityNames[21], "CAP_SYS_ADMIN");
    assert.equal(capabilityNames[24], "CAP_SYS_RESOURCE");
    assert.equal(capabilityNames[40], "CAP_CHECKPOINT_RESTORE");
    assert.equal(capabilityNames.length, 41);
  });
});
