import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../../base/index.ts";
import type { RuntimeSpec } from "../../oci/index.ts";
import {
  annotatedCdiDevices,
  type CdiEdits,
  editsForCdi,
  type KnownCdiEdits,
  parseCdiSpec,
  specWithCdi,
} from "./index.ts";

const file = (more: object = {}) => ({
  cdiVersion: "0.6.0",
  kind: "vendor.com/net",
  containerEdits: { env: ["ALL=1"] },
  devices: [
    {
      name: "first",
      containerEdits: {
        env: ["FIRST=1"],
        deviceNodes: [{ path: "/dev/first", type: "c", major: 1, minor: 3, permissions: "rw" }],
        mounts: [{ hostPath: "/srv/lib", containerPath: "/lib/vendor", options: ["ro", "bind"] }],
        hooks: [{ hookName: "createContainer", path: "/bin/hook", args: ["hook"], timeout: 2 }],
        additionalGids: [44, 0],
      },
    },
    { name: "second", containerEdits: { env: ["SECOND=1"] } },
  ],
  ...more,
});
const envOf = (edits: readonly CdiEdits[]) => edits.flatMap(({ env }) => env);
const spec: RuntimeSpec = {
  ociVersion: "1.2.1",
  process: { user: { uid: 7, gid: 0, additionalGids: [3] }, args: ["x"], cwd: "/", env: ["ALL=0", "B=2"] },
  mounts: [{ destination: "/a/b/c" }, { destination: "/lib/vendor", source: "/old" }],
  hooks: { poststop: [{ path: "/bin/other" }] },
  linux: { resources: { devices: [{ allow: false, access: "rwm" }] } },
};

describe("CDI devices", () => {
  it("are found by kind and name, with what their specification has for all, once", () => {
    const specs = [{ spec: parseCdiSpec(file()), rank: 0 }];
    const edits = editsForCdi(["vendor.com/net=second", "vendor.com/net=first"], specs);
    assert.deepEqual(envOf(edits), ["ALL=1", "SECOND=1", "FIRST=1"]);
    assert.throws(() => editsForCdi(["vendor.com/net=third", "other.com/net=first"], specs), {
      message: "unresolvable CDI devices vendor.com/net=third, other.com/net=first",
    });
  });

  it("are those of the later directory; two of one directory are none", () => {
    const later = parseCdiSpec(file({ devices: [{ name: "first", containerEdits: { env: ["LATER=1"] } }] }));
    const low = { spec: parseCdiSpec(file()), rank: 0 };
    assert.deepEqual(envOf(editsForCdi(["vendor.com/net=first"], [low, { spec: later, rank: 1 }])), [
      "ALL=1",
      "LATER=1",
    ]);
    assert.throws(() => editsForCdi(["vendor.com/net=first"], [low, { spec: later, rank: 0 }]), /unresolvable/);
  });

  it("are named by annotations too", () => {
    const annotations = { "cdi.k8s.io/plugin_1": "vendor.com/net=a,vendor.com/net=b", other: "vendor.com/net=c" };
    assert.deepEqual(annotatedCdiDevices(annotations), ["vendor.com/net=a", "vendor.com/net=b"]);
    for (const bad of ["", "a", "vendor.com=x", "vendor.com/net=", "vendor.com/net=a,", "/=a", "vendor.com/net=a b"]) {
      assert.throws(
        () => annotatedCdiDevices({ "cdi.k8s.io/x": bad }),
        (error) => isFault(error, "invalid") && error.message.startsWith("failed to parse CDI device annotations: "),
      );
    }
  });

  it("change variables, devices, mounts, hooks and groups of a spec", () => {
    const edits = editsForCdi(["vendor.com/net=first"], [{ spec: parseCdiSpec(file()), rank: 0 }]) as KnownCdiEdits[];
    const changed = specWithCdi(spec, edits);
    assert.deepEqual(changed.process?.env, ["ALL=1", "B=2", "FIRST=1"]);
    assert.deepEqual(changed.process?.user.additionalGids, [3, 44]);
    assert.deepEqual(changed.linux?.devices, [{ path: "/dev/first", type: "c", major: 1, minor: 3, uid: 7 }]);
    assert.deepEqual(changed.linux?.resources?.devices, [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 1, minor: 3, access: "rw" },
    ]);
    assert.deepEqual(changed.mounts, [
      { destination: "/lib/vendor", source: "/srv/lib", options: ["ro", "bind"] },
      { destination: "/a/b/c" },
    ]);
    assert.deepEqual(changed.hooks, {
      poststop: [{ path: "/bin/other" }],
      createContainer: [{ path: "/bin/hook", args: ["hook"], timeout: 2 }],
    });
  });

  it("are refused where their specification cannot be understood", () => {
    const device = (containerEdits: object) => file({ devices: [{ name: "x", containerEdits }] });
    for (const bad of [
      file({ cdiVersion: "2.0.0" }),
      file({ kind: "net" }),
      file({ devices: [{ name: "a b" }] }),
      file({ devices: [{ name: "a" }, { name: "a" }] }),
      device({ env: ["=x"] }),
      device({ deviceNodes: [{ path: "dev/x" }] }),
      device({ deviceNodes: [{ path: "/dev/x", type: "z" }] }),
      device({ deviceNodes: [{ path: "/dev/x", permissions: "rwx" }] }),
      device({ deviceNodes: [{ path: "/dev/x", major: -1 }] }),
      device({ mounts: [{ hostPath: "/x", containerPath: "y" }] }),
      device({ hooks: [{ hookName: "constructor", path: "/x" }] }),
      device({ additionalGids: [2 ** 32] }),
      device({ intelRdt: { closID: "../x" } }),
      device({ netDevices: [{ hostInterfaceName: "eth1" }] }),
    ]) {
      assert.throws(
        () => parseCdiSpec(bad),
        (error) => isFault(error, "invalid"),
        JSON.stringify(bad),
      );
    }
  });
});
