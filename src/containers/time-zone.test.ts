import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { timeZoneMounts } from "./time-zone.ts";

function place() {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "time-zone-")));
  const [rootfs, runDir, zonesDir] = ["rootfs", "run", "zones"].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [join(rootfs, "etc"), runDir, join(zonesDir, "Europe")]) mkdirSync(path, { recursive: true });
  writeFileSync(join(zonesDir, "Europe/Vienna"), "TZif-vienna");
  const localtime = join(rootfs, "etc/localtime");
  const mounts = (zone: string, readonly = false) => timeZoneMounts({ zone, zonesDir, rootfs, readonly, runDir });
  return { rootfs, runDir, zonesDir, localtime, mounts, [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
}

describe("a container's time zone", () => {
  it("is the image's when none is configured", async () => {
    using at = place();
    writeFileSync(at.localtime, "the image's");
    assert.deepEqual(await at.mounts(""), []);
    assert.equal(readFileSync(at.localtime, "utf8"), "the image's");
  });

  it("is a link where the image has the zone", async () => {
    using at = place();
    writeFileSync(at.localtime, "the image's");
    mkdirSync(join(at.rootfs, at.zonesDir, "Europe"), { recursive: true });
    writeFileSync(join(at.rootfs, at.zonesDir, "Europe/Vienna"), "the image's Vienna");
    assert.deepEqual(await at.mounts("Europe/Vienna"), []);
    assert.equal(readlinkSync(at.localtime), `..${at.zonesDir}/Europe/Vienna`);
  });

  it("is a copy of the host's where the image has not", async () => {
    using at = place();
    symlinkSync("/etc/passwd", at.localtime);
    const source = join(at.runDir, "localtime");
    for (const [readonly, access] of [
      [false, "rw"],
      [true, "ro"],
    ] as const) {
      assert.deepEqual(await at.mounts("Europe/Vienna", readonly), [
        { destination: "/etc/localtime", type: "bind", source, options: [access, "bind", "nodev", "nosuid", "noexec"] },
      ]);
    }
    assert.equal(readFileSync(source, "utf8"), "TZif-vienna");
    assert.ok(!existsSync(at.localtime));
  });

  it("touches nothing outside the root file system, wherever the image's links lead", async () => {
    using at = place();
    const outside = join(at.runDir, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "localtime"), "the host's");
    rmSync(join(at.rootfs, "etc"), { recursive: true });
    symlinkSync(outside, join(at.rootfs, "etc"));
    mkdirSync(join(at.rootfs, outside), { recursive: true });
    await at.mounts("Europe/Vienna");
    assert.equal(readFileSync(join(outside, "localtime"), "utf8"), "the host's");
  });

  it("fails with its name when the host does not have it", async () => {
    using at = place();
    await assert.rejects(at.mounts("Mars/Base"), /setting the time zone Mars\/Base: /);
  });
});
