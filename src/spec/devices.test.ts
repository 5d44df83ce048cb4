import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { type DeviceNode, type DevicesPlan, planDevices, type RequestedDevice } from "./devices.ts";

const fuse: DeviceNode = { path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 };
const sda: DeviceNode = { path: "/dev/sda", type: "b", major: 8, minor: 0, fileMode: 0o660, uid: 0, gid: 6 };
const gone: DeviceNode = { path: "/dev/gone", type: "c", major: 0, minor: 0, fileMode: 0, uid: 0, gid: 0 };

const plan: DevicesPlan = { configured: [], hostDevices: [], privilegedWithoutHostDevices: false, requested: [] };
const requested: RequestedDevice = {
  containerPath: "/dev/own",
  hostPath: "/dev/fuse",
  permissions: "rw",
  found: { is: "node", node: fuse },
  containerPathOnHost: false,
};
const denyAll = { allow: false, access: "rwm" };

function plain(change: Partial<DevicesPlan>) {
  return planDevices({ ...plan, ...change }, { privileged: false });
}

describe("planDevices", () => {
  it("opens nothing by itself", () => {
    assert.deepEqual(plain({}), { devices: [], rules: [denyAll] });
  });

  it("opens what configuration and request name, as they name it", () => {
    const configured = [{ node: fuse, containerPath: "/dev/fuse", permissions: "rwm" }];
    assert.deepEqual(plain({ configured, requested: [requested] }), {
      devices: [
        { path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 },
        { path: "/dev/own", type: "c", major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 },
      ],
      rules: [
        denyAll,
        { allow: true, type: "c", major: 10, minor: 229, access: "rwm" },
        { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
      ],
    });
  });

  it("opens the devices of a directory below the container's path", () => {
    const found = { is: "directory", path: "/dev/dri", nodes: [{ ...fuse, path: "/dev/dri/by/card0" }] } as const;
    const { devices, rules } = plain({
      requested: [{ ...requested, containerPath: "/dev/gpu/", found }],
      owner: { uid: 5 },
    });
    assert.deepEqual(devices, [
      { path: "/dev/gpu/by/card0", type: "c", major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 },
    ]);
    assert.equal(rules.length, 2);
  });

  it("passes over what is no device", () => {
    assert.deepEqual(plain({ requested: [{ ...requested, found: { is: "other" } }] }).devices, []);
  });

  it("gives requested devices to the user where the handler of the request says so", () => {
    const [device] = plain({ requested: [requested], owner: { uid: 1000, gid: 0 } }).devices;
    assert.deepEqual([device?.uid, device?.gid], [1000, 0]);
    const [other] = plain({
      requested: [{ ...requested, found: { is: "node", node: sda } }],
      owner: { gid: 7 },
    }).devices;
    assert.deepEqual([other?.uid, other?.gid], [0, 7]);
  });

  it("keeps the last of two at one path", () => {
    const { devices } = plain({ requested: [requested, { ...requested, found: { is: "node", node: sda } }] });
    assert.deepEqual(
      devices.map(({ major }) => major),
      [8],
    );
  });

  describe("for a privileged container", () => {
    const all = { ...plan, hostDevices: [fuse, sda, gone] };

    it("opens all that the host really has", () => {
      const { devices, rules } = planDevices(all, { privileged: true });
      assert.deepEqual(
        devices.map(({ path }) => path),
        ["/dev/fuse", "/dev/sda"],
      );
      assert.deepEqual(rules, [{ allow: true, access: "rwm" }]);
    });

    it("opens only what is named where the handler says so", () => {
      const { devices, rules } = planDevices({ ...all, privilegedWithoutHostDevices: true }, { privileged: true });
      assert.deepEqual([devices, rules], [[], [denyAll]]);
    });

    it("refuses to hide a device of the host behind another", () => {
      const hiding = { ...requested, containerPathOnHost: true };
      assert.throws(
        () => planDevices({ ...all, requested: [hiding] }, { privileged: true }),
        (error) =>
          isFault(error, "invalid") &&
          error.message ===
            "privileged container was configured with a device container path that already exists on the host",
      );
      planDevices({ ...all, requested: [{ ...hiding, containerPath: "/dev/fuse" }] }, { privileged: true });
      planDevices({ ...plan, requested: [hiding] }, { privileged: false });
    });
  });

  for (const permissions of ["", "x", "rr", "rwmr", "rw\n"]) {
    it(`refuses permissions ${JSON.stringify(permissions)}`, () => {
      assert.throws(
        () => plain({ requested: [{ ...requested, permissions }] }),
        (error) => isFault(error, "invalid"),
      );
    });
  }

  it("refuses paths that are not absolute", () => {
    assert.throws(
      () => plain({ requested: [{ ...requested, containerPath: "dev/x" }] }),
      (error) => isFault(error, "invalid"),
    );
    assert.throws(
      () => plain({ requested: [{ ...requested, containerPath: "/dev/x\0" }] }),
      (error) => isFault(error, "invalid"),
    );
  });
});
