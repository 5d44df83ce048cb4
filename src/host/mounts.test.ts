import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { mountEntryOf, parseMountTable } from "./mount-table.ts";
import { bindMount, mountTmpfs, setPropagation, unmount } from "./mounts.ts";
import { mountOverlay, mountOverlayByString, type OverlayPlan } from "./overlay.ts";
import { enterPrivateMounts } from "./testing/private-mounts.ts";

// First of all: threads that exist already would stay in the machine's mount namespace.
const { dir, leave } = enterPrivateMounts();
after(leave);

const fresh = (name: string) => {
  const path = join(dir, name);
  mkdirSync(path, { recursive: true });
  return path;
};
const layer = (name: string) => {
  const path = fresh(name);
  writeFileSync(join(path, `file-of-${name.slice(0, 40).replace(/\W/g, "_")}`), name);
  return path;
};
const faulted = (code: Parameters<typeof isFault>[1], pattern: RegExp) => (error: unknown) => {
  assert.ok(isFault(error, code), `expected a Fault(${code}), got ${error}`);
  assert.match(error.message, pattern);
  return true;
};

const ways: readonly [string, (plan: OverlayPlan) => void][] = [
  ["layer by layer", mountOverlay],
  ["by one string, as for old kernels", mountOverlayByString],
];
for (const [way, mount] of ways) {
  describe(`overlay, ${way}`, () => {
    const target = fresh(`target-${way.length}`);

    it("shows the layers and keeps changes in the upper one", async () => {
      const [upper, work] = [fresh(`upper-${way.length}`), fresh(`work-${way.length}`)];
      mount({ target, lowers: [layer("a"), layer("b")], upper, work, options: ["volatile", "metacopy=on", "nodev"] });
      assert.deepEqual(readdirSync(target).sort(), ["file-of-a", "file-of-b"]);
      writeFileSync(join(target, "new"), "");
      assert.ok(existsSync(join(upper, "new")));
      const entry = await mountEntryOf(target);
      assert.equal(entry?.source, "overlay");
      assert.ok(entry.options.includes("nodev"));
      assert.ok(entry.superOptions.includes("metacopy=on"));
      assert.equal(unmount(target), true);
    });

    it("takes 150 lower layers", () => {
      const long = "a-directory-name-about-as-long-as-a-layer-id-is-in-practice-0123456789";
      const lowers = Array.from({ length: 150 }, (_, index) => layer(`${index}-${long}`));
      mount({ target, lowers });
      assert.equal(readdirSync(target).length, 150);
      assert.throws(() => writeFileSync(join(target, "new"), ""), /EROFS/);
      unmount(target);
    });

    it("takes directories with awkward names", () => {
      const lowers = ["with:colon", "with,comma", "with\\backslash", "with space", "x".repeat(250)].map(layer);
      const [upper, work] = [fresh(`up\\per,:${way.length}`), fresh(`wo\\rk,:${way.length}`)];
      mount({ target, lowers, upper, work });
      assert.equal(readdirSync(target).length, 5);
      writeFileSync(join(target, "new"), "");
      assert.ok(existsSync(join(upper, "new")));
      unmount(target);
    });

    it("is read-only when told so", () => {
      const [upper, work] = [fresh(`ru-${way.length}`), fresh(`rw-${way.length}`)];
      mount({ target, lowers: [layer("a")], upper, work, readonly: true });
      assert.throws(() => writeFileSync(join(target, "new"), ""), /EROFS/);
      unmount(target);
    });

    it("names the layer that is missing", () => {
      const plan = { target, lowers: [join(dir, "nothing-here"), layer("a")] };
      assert.throws(() => mount(plan), faulted("not-found", /overlay on .*nothing-here.*ENOENT/));
      assert.equal(unmount(target), false);
    });
  });
}

describe("overlay", () => {
  const target = fresh("target");

  it("reports what the kernel says about an option", () => {
    const plan = { target, lowers: [layer("a"), layer("b")], options: ["no_such_option=1"] };
    assert.throws(() => mountOverlay(plan), faulted("failed", /overlay: Unknown parameter 'no_such_option'/));
  });

  it("refuses plans that cannot be", () => {
    const a = layer("a");
    const refused = (plan: Partial<OverlayPlan>, pattern: RegExp) =>
      assert.throws(() => mountOverlay({ target, lowers: [a, a], ...plan }), faulted("invalid", pattern));
    refused({ lowers: [] }, /no lower layer/);
    refused({ lowers: [a] }, /empty directory as a second/);
    refused({ upper: a }, /belong together/);
    refused({ options: ["upperdir=/etc"] }, /not an option/);
    refused({ options: ['context=a"b'] }, /not an option/);
  });

  it("says so when the layers do not fit into a page of options", () => {
    const lowers = Array.from({ length: 300 }, (_, index) => layer(`many-${index}`));
    assert.throws(() => mountOverlayByString({ target, lowers }), faulted("exhausted", /300 lower layers/));
  });
});

describe("tmpfs", () => {
  it("has the size, mode and flags asked for", async () => {
    const target = fresh("shm");
    mountTmpfs({ target, sizeBytes: 65536, mode: "1777", flags: ["nosuid", "nodev", "noexec"] });
    assert.equal(statSync(target).mode & 0o7777, 0o1777);
    const entry = await mountEntryOf(target);
    for (const flag of ["nosuid", "nodev", "noexec"]) assert.ok(entry?.options.includes(flag));
    assert.ok(entry?.superOptions.includes("size=64k"));
    assert.throws(() => writeFileSync(join(target, "big"), Buffer.alloc(200_000)), /ENOSPC/);
    unmount(target);
  });

  it("leaves nothing behind when the target is missing", () => {
    const plan = { target: join(dir, "no-such-dir"), mode: "755", flags: [] };
    assert.throws(() => mountTmpfs(plan), faulted("not-found", /no-such-dir.*ENOENT/));
    assert.throws(() => mountTmpfs({ ...plan, mode: "rwx" }), faulted("invalid", /octal/));
  });
});

describe("bind mounts", () => {
  it("shows a directory or a file elsewhere, read-only with all beneath when recursive", () => {
    const [source, target] = [fresh("source"), fresh("bound")];
    mountTmpfs({ target: fresh("source/inner"), mode: "755", flags: [] });
    bindMount(source, target, { recursive: true, readonly: true, flags: ["nosuid"] });
    assert.throws(() => writeFileSync(join(target, "x"), ""), /EROFS/);
    assert.throws(() => writeFileSync(join(target, "inner", "x"), ""), /EROFS/);
    writeFileSync(join(source, "inner", "x"), "");
    assert.equal(unmount(target, { detach: true }), true);
    writeFileSync(join(dir, "one-file"), "1");
    writeFileSync(join(dir, "other-file"), "2");
    bindMount(join(dir, "one-file"), join(dir, "other-file"));
    assert.equal(readFileSync(join(dir, "other-file"), "utf8"), "1");
    assert.equal(unmount(join(dir, "other-file")), true);
  });

  it("does not follow a symbolic link as the target", () => {
    symlinkSync(fresh("pointed-at"), join(dir, "link"));
    assert.throws(() => bindMount(fresh("source"), join(dir, "link")), faulted("failed", /move_mount/));
  });
});

describe("unmount", () => {
  it("is false where nothing is mounted and where nothing is", () => {
    assert.equal(unmount(fresh("plain")), false);
    assert.equal(unmount(join(dir, "nowhere")), false);
  });

  it("says busy when it is, and detaches when told so", () => {
    const target = fresh("busy");
    mountTmpfs({ target, mode: "755", flags: [] });
    mountTmpfs({ target: fresh("busy/inner"), mode: "755", flags: [] });
    assert.throws(() => unmount(target), faulted("precondition", /busy/));
    assert.equal(unmount(target, { detach: true }), true);
    assert.deepEqual(readdirSync(target), []);
  });
});

describe("the mount table", () => {
  it("tells propagation", async () => {
    const target = fresh("propagation");
    mountTmpfs({ target, mode: "755", flags: [] });
    assert.deepEqual((await mountEntryOf(target))?.propagation, {});
    setPropagation(target, "shared");
    assert.equal(typeof (await mountEntryOf(target))?.propagation.shared, "number");
    setPropagation(target, "unbindable");
    assert.deepEqual((await mountEntryOf(target))?.propagation, { unbindable: true });
    unmount(target);
    assert.equal(await mountEntryOf(target), undefined);
    assert.throws(() => setPropagation(target, "shared"), faulted("failed", /EINVAL/));
  });

  it("finds a mount whose path has spaces and other escapes", async () => {
    const target = fresh("a b\tc\\d\ne");
    mountTmpfs({ target, mode: "755", flags: [] });
    assert.equal((await mountEntryOf(target))?.fsType, "tmpfs");
    unmount(target);
  });

  it("parses optional fields and skips what is no entry", () => {
    const line =
      "36 35 98:0 /mnt1 /mnt2 rw,noatime shared:3 master:1 propagate_from:7 - ext3 /dev/root rw,errors=continue";
    const [entry, ...more] = parseMountTable(`${line}\nnot an entry\n\n`);
    assert.equal(more.length, 0);
    assert.deepEqual(entry, {
      id: 36,
      parent: 35,
      device: "98:0",
      root: "/mnt1",
      mountPoint: "/mnt2",
      options: ["rw", "noatime"],
      propagation: { shared: 3, master: 1 },
      fsType: "ext3",
      source: "/dev/root",
      superOptions: ["rw", "errors=continue"],
    });
  });
});
