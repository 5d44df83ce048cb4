import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readStorageDefaults, storageDefaultsOf } from "./storage-conf.ts";
import { load, testDirectory } from "./testing.ts";

const decode = (text: string, env = {}) => storageDefaultsOf(text, "storage.conf", env);

describe("storageDefaultsOf", () => {
  it("reads roots and driver, with variables and the old name of overlay", () => {
    const found = decode(
      `[storage]\ndriver="overlay2"\ngraphroot="$BASE/graph"\nrunroot="/run/\${WHO}/x"\nimagestore="/i"`,
      {
        BASE: "/base",
        WHO: "me",
      },
    );
    assert.deepEqual(
      [found.driver, found.graphRoot, found.runRoot, found.imageStore],
      ["overlay", "/base/graph", "/run/me/x", "/i"],
    );
  });

  it("makes driver options of the options, those of the driver's table counting more", () => {
    const { driverOptions } = decode(`[storage]
driver = "overlay"
[storage.options]
additionalimagestores = ["/a", "/b"]
size = "1G"
mountopt = "nodev"
ignore_chown_errors = true
[storage.options.overlay]
mountopt = "nodev,metacopy=on"
use_composefs = "false"
[storage.options.zfs]
fsname = "tank"`);
    assert.deepEqual(driverOptions, [
      "overlay.imagestore=/a",
      "overlay.imagestore=/b",
      "overlay.ignore_chown_errors=true",
      "overlay.mountopt=nodev,metacopy=on",
      "overlay.size=1G",
      "overlay.use_composefs=false",
    ]);
  });

  it("lets STORAGE_DRIVER and STORAGE_OPTS replace what the file says", () => {
    const env = { STORAGE_DRIVER: "vfs", STORAGE_OPTS: "vfs.a=1,vfs.b=2" };
    const found = decode('[storage]\ndriver="overlay"\n[storage.options]\nsize="1G"', env);
    assert.equal(found.driver, "vfs");
    assert.deepEqual(found.driverOptions, ["vfs.a=1", "vfs.b=2"]);
    assert.deepEqual(decode('[storage.options]\nsize="1G"', { STORAGE_OPTS: "" }).driverOptions, []);
  });

  it("knows nothing of keys that are not its business, and of __proto__", () => {
    const found = decode(
      '[storage]\ntransient_store = true\n[storage.options]\npull_options = {a = "b"}\n[__proto__.storage]\ndriver="x"',
    );
    assert.equal(found.driver, undefined);
    assert.equal(decode('[storage]\ndriver = "__proto__"').driver, "__proto__");
  });

  for (const text of [
    "storage = 1",
    "[storage]\ndriver = []",
    "[storage]\noptions = 'x'",
    "[storage.options]\nadditionalimagestores = '/a'",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      assert.throws(() => decode(text), { code: "invalid", message: /storage\.conf: storage/ }));
  }
});

describe("readStorageDefaults", () => {
  it("reads the file of the environment alone, or the one in XDG_CONFIG_HOME", async () => {
    await using directory = await testDirectory({
      "own.conf": '[storage]\ndriver="own"',
      "xdg/containers/storage.conf": '[storage]\ndriver="xdg"',
    });
    const [own, xdg] = [join(directory.path, "own.conf"), join(directory.path, "xdg")];
    assert.equal((await readStorageDefaults({ CONTAINERS_STORAGE_CONF: own, XDG_CONFIG_HOME: xdg })).driver, "own");
    assert.equal((await readStorageDefaults({ XDG_CONFIG_HOME: xdg })).driver, "xdg");
    assert.equal(
      (await readStorageDefaults({ CONTAINERS_STORAGE_CONF: `${own}.no`, XDG_CONFIG_HOME: xdg })).driver,
      undefined,
    );
  });

  it("stops the start when it is broken", async () => {
    await assert.rejects(load({ files: { "storage.conf": "[storage" } }), {
      code: "invalid",
      message: /storage\.conf: line 1/,
    });
  });
});
