import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { errnoOf, isFault } from "../base/index.ts";
import { makeDirectoryInRoot, openInRoot, readFileInRoot } from "./in-root.ts";
import { kernel, makedev, mknod } from "./syscalls.ts";

const top = mkdtempSync(join(tmpdir(), "host-in-root-"));
after(() => rmSync(top, { recursive: true }));
const root = join(top, "root");
mkdirSync(join(root, "etc"), { recursive: true });
writeFileSync(join(top, "secret"), "outside");
writeFileSync(join(root, "etc", "passwd"), "inside");
symlinkSync("/etc/passwd", join(root, "absolute"));
symlinkSync("../../../../../../etc/passwd", join(root, "relative"));
symlinkSync("../secret", join(root, "escape"));
symlinkSync("/etc", join(root, "directory-link"));
symlinkSync("loop", join(root, "loop"));
symlinkSync("/proc/self/root/etc", join(root, "magic"));
const fdsOpen = () => readdirSync("/proc/self/fd").length;
const hasErrno = (errno: string) => (error: unknown) => errnoOf(error) === errno;
const owner = { mode: 0o755, uid: 0, gid: 0 };

describe("openInRoot and readFileInRoot", () => {
  const read = async (path: string) => (await readFileInRoot(root, path, 1000))?.toString();

  it("resolves everything inside the root", async () => {
    const paths = ["etc/passwd", "/etc/passwd", "absolute", "relative", "/directory-link/passwd", "../../etc/./passwd"];
    for (const path of paths) assert.equal(await read(path), "inside", path);
  });

  it("does not find what is outside", async () => {
    for (const path of ["escape", "../secret", "/../../secret", join(top, "secret"), "no/such", "etc/passwd/x"]) {
      assert.equal(await read(path), undefined, path);
    }
    assert.throws(() => openInRoot(root, "loop"), hasErrno("ELOOP"));
    assert.throws(() => openInRoot("/", "/proc/self/root/etc/passwd"), hasErrno("ELOOP")); // a magic link
  });

  it("refuses what is neither file nor directory, without waiting for it", async () => {
    mknod(join(root, "fifo"), kernel.S_IFIFO | 0o666, 0);
    mknod(join(root, "device"), kernel.S_IFCHR | 0o666, makedev(1, 3));
    for (const name of ["fifo", "device"]) {
      assert.throws(
        () => openInRoot(root, name),
        (error) => isFault(error, "invalid"),
        name,
      );
      assert.throws(
        () => openInRoot(root, name, { write: true, create: true }),
        (error) => isFault(error, "invalid"),
      );
    }
    await assert.rejects(readFileInRoot(root, "etc/pass\0wd", 10), (error) => isFault(error, "invalid"));
  });

  it("stops at the limit", async () => {
    await assert.rejects(readFileInRoot(root, "etc/passwd", 5), (error) => isFault(error, "exhausted"));
  });

  it("creates and writes files, through a link to nowhere too, and only inside", () => {
    const before = fdsOpen();
    symlinkSync("/etc/made", join(root, "to-be-made"));
    symlinkSync("/../../made-outside", join(root, "to-be-made-outside"));
    for (const path of ["etc/new", "to-be-made", "to-be-made-outside", "absolute"]) {
      const fd = openInRoot(root, path, { create: true, write: true, mode: 0o600 });
      writeSync(fd, "text");
      closeSync(fd);
    }
    assert.equal(statSync(join(root, "etc", "new")).mode & 0o7777, 0o600);
    assert.ok(existsSync(join(root, "etc", "made")));
    assert.ok(existsSync(join(root, "made-outside")));
    assert.equal(existsSync(join(top, "made-outside")), false);
    assert.equal(readFileSync(join(root, "etc", "passwd"), "utf8"), "textde");
    assert.equal(fdsOpen(), before);
  });

  it("opens directories when asked to", () => {
    closeSync(openInRoot(root, "/", { directory: true }));
    closeSync(openInRoot(root, "", { directory: true }));
    assert.throws(() => openInRoot(root, "etc/passwd", { directory: true }), hasErrno("ENOTDIR"));
  });
});

describe("makeDirectoryInRoot", () => {
  it("makes what is missing with the owner and mode asked for, and leaves the rest", async () => {
    const before = fdsOpen();
    const umask = process.umask(0o077);
    await makeDirectoryInRoot(root, "/directory-link/a/./b//c/", { mode: 0o1777, uid: 12, gid: 34 });
    process.umask(umask);
    const { mode, uid, gid } = statSync(join(root, "etc", "a", "b", "c"));
    assert.deepEqual([mode & 0o7777, uid, gid], [0o1777, 12, 34]);
    assert.equal(statSync(join(root, "etc")).uid, 0);
    await makeDirectoryInRoot(root, "etc/a/b/c", owner);
    await makeDirectoryInRoot(root, "/", owner);
    assert.equal(fdsOpen(), before);
  });

  it("stays inside and follows links to nowhere", async () => {
    symlinkSync("/../../outside/deep", join(root, "dangling"));
    symlinkSync("sub/../other", join(root, "etc", "dangling-relative"));
    await makeDirectoryInRoot(root, "../../dangling/x", owner);
    assert.ok(statSync(join(root, "outside", "deep", "x")).isDirectory());
    assert.equal(existsSync(join(top, "outside")), false);
    await makeDirectoryInRoot(root, "etc/dangling-relative/y", owner);
    assert.ok(statSync(join(root, "etc", "other", "y")).isDirectory());
  });

  it("says so when a file or a loop is in the way", async () => {
    const invalid = (error: unknown) => isFault(error, "invalid") && /making directory/.test(error.message);
    await assert.rejects(makeDirectoryInRoot(root, "absolute/x", owner), invalid);
    await assert.rejects(makeDirectoryInRoot(root, "etc/passwd", owner), invalid);
    await assert.rejects(makeDirectoryInRoot(root, "loop/x", owner), invalid);
    symlinkSync("b-loop/x", join(root, "a-loop"));
    symlinkSync("a-loop/x", join(root, "b-loop"));
    await assert.rejects(makeDirectoryInRoot(root, "a-loop", owner), invalid);
  });
});
