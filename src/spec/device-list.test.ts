import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { parseAnnotatedDevices, parseDeviceSpec } from "./device-list.ts";

describe("parseDeviceSpec", () => {
  for (const [text, hostPath, containerPath, permissions] of [
    ["/dev/fuse", "/dev/fuse", "/dev/fuse", "rwm"],
    ["/dev/fuse:rw", "/dev/fuse", "/dev/fuse", "rw"],
    ["/dev/fuse:/dev/x", "/dev/fuse", "/dev/x", "rwm"],
    ["/dev/fuse:/dev/x:r", "/dev/fuse", "/dev/x", "r"],
  ] as const) {
    it(`reads ${text}`, () => assert.deepEqual(parseDeviceSpec(text), { hostPath, containerPath, permissions }));
  }

  for (const text of [
    "",
    "fuse",
    "/dev/fuse:",
    "/dev/fuse:x",
    "/dev/fuse:/etc/x",
    "/dev/fuse:/dev/../etc/x",
    "/dev/fuse:/dev/",
    "/dev/fuse:/dev/x:z",
    "/dev/fuse:rw:rw",
    "/dev/a:/dev/b:r:m",
    "/srv/x",
    "/dev/a\0",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseDeviceSpec(text),
        (error) => isFault(error, "invalid"),
      );
    });
  }
});

describe("parseAnnotatedDevices", () => {
  it("takes only what allowed_devices has, by its exact name", () => {
    assert.equal(parseAnnotatedDevices("/dev/fuse:rw,/dev/kvm", ["/dev/fuse", "/dev/kvm"]).length, 2);
    assert.deepEqual(parseAnnotatedDevices("", []), []);
    for (const entry of ["/dev/sda", "/dev/./fuse", "/dev//fuse"]) {
      assert.throws(
        () => parseAnnotatedDevices(entry, ["/dev/fuse"]),
        (error) =>
          isFault(error, "invalid") && error.message === `device ${entry} is specified but is not in allowed_devices`,
      );
    }
  });
});
