import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildContainerSpec } from "./container.ts";
import { specWithAnnotations, specWithDevices, specWithEnv, specWithMounts } from "./edits.ts";
import { testPlan } from "./test-plans.ts";

const spec = buildContainerSpec(testPlan);

describe("edits of a built spec", () => {
  it("set variables in place", () => {
    assert.deepEqual(specWithEnv(spec, ["TERM=dumb", "GOMAXPROCS=2"]).process?.env?.slice(1), [
      "TERM=dumb",
      "HOSTNAME=pod-1",
      "GOMAXPROCS=2",
    ]);
  });

  it("mount over what was there", () => {
    const edited = specWithMounts(spec, [{ destination: "/proc", type: "bind", source: "/x" }]);
    assert.equal(edited.mounts?.filter(({ destination }) => destination === "/proc").length, 1);
    assert.equal(edited.mounts?.at(-1)?.source, "/x");
  });

  it("add devices with their rules, and annotations", () => {
    const device = { path: "/dev/x", type: "c", major: 1, minor: 2 } as const;
    const rule = { allow: true, type: "c", major: 1, minor: 2, access: "rw" } as const;
    const once = specWithDevices(spec, { devices: [device], rules: [rule] });
    const twice = specWithDevices(once, { devices: [{ ...device, minor: 3 }], rules: [] });
    assert.deepEqual(twice.linux?.devices, [{ ...device, minor: 3 }]);
    assert.deepEqual(twice.linux?.resources?.devices, [{ allow: false, access: "rwm" }, rule]);
    assert.equal(specWithAnnotations(spec, { a: "b" }).annotations?.a, "b");
  });
});
