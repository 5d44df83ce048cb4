import assert from "node:assert/strict";
import {
  closeSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { isFault } from "../base/index.ts";
import {
  chmod,
  kernel,
  lchown,
  lgetxattr,
  llistxattr,
  lremovexattr,
  lsetxattr,
  makedev,
  mkdirat,
  mknod,
  openat,
  utimensAt,
} from "./syscalls.ts";
import { SystemCallError } from "./system-call-error.ts";
import { workerFile } from "./worker-file.ts";

const dir = mkdtempSync(join(tmpdir(), "host-syscalls-"));
after(() => rmSync(dir, { recursive: true }));
const file = join(dir, "file");
writeFileSync(file, "x");

describe("system calls", () => {
  it("fail with errno name, number, call and path", () => {
    const path = join(dir, "missing");
    assert.throws(
      () => lchown(path, 0, 0),
      (error) => {
        assert.ok(error instanceof SystemCallError);
        assert.deepEqual([error.code, error.errno, error.syscall, error.path], ["ENOENT", 2, "lchown", path]);
        assert.match(error.message, /^lchown ".*missing": ENOENT: no such file or directory$/);
        return true;
      },
    );
  });

  it("refuse names with NUL in them: the kernel would see another one", () => {
    assert.throws(
      () => chmod(`${file}\0.txt`, 0o777),
      (error) => isFault(error, "invalid"),
    );
    assert.throws(
      () => chmod(Buffer.from(`${file}\0`), 0o777),
      (error) => isFault(error, "invalid"),
    );
    assert.throws(
      () => lsetxattr(file, "user.\0x", Buffer.from("1")),
      (error) => isFault(error, "invalid"),
    );
  });

  it("take names that are not UTF-8", () => {
    const name = Buffer.from([...Buffer.from(`${dir}/raw-`), 0xff, 0xfe]);
    writeFileSync(name, "");
    chmod(name, 0o4711);
    assert.equal(lstatSync(name).mode & 0o7777, 0o4711);
  });

  it("set times to the nanosecond, before 1970 and on symbolic links too", () => {
    const link = join(dir, "link");
    symlinkSync("file", link);
    utimensAt(link, 1_234_567_890_123_456_789n, -1n, { nofollow: true });
    const times = lstatSync(link, { bigint: true });
    assert.equal(times.atimeNs, 1_234_567_890_123_456_789n);
    assert.equal(times.mtimeNs, -1n);
    assert.notEqual(lstatSync(file, { bigint: true }).mtimeNs, -1n);
    utimensAt(link, 5n, 7n, { nofollow: false });
    assert.equal(lstatSync(file, { bigint: true }).mtimeNs, 7n);
  });

  it("make device nodes", () => {
    mknod(join(dir, "null"), kernel.S_IFCHR | 0o666, makedev(1, 3));
    assert.equal(lstatSync(join(dir, "null")).rdev, 0x103);
    mknod(join(dir, "large"), kernel.S_IFBLK | 0o600, makedev(4095, 1_048_575));
    assert.equal(lstatSync(join(dir, "large"), { bigint: true }).rdev, 0xffff_ffffn);
    assert.throws(() => makedev(4096, 0), RangeError);
    assert.throws(() => makedev(1, -1), RangeError);
  });

  it("read, list and write extended attributes", () => {
    assert.equal(lgetxattr(file, "trusted.missing"), undefined);
    assert.deepEqual(llistxattr(file), []);
    lsetxattr(file, "trusted.overlay.opaque", Buffer.from("y"));
    lsetxattr(file, "trusted.empty", Buffer.alloc(0));
    lsetxattr(file, "user.large", Buffer.alloc(2000, 0xaa));
    assert.deepEqual([...llistxattr(file)].sort(), ["trusted.empty", "trusted.overlay.opaque", "user.large"]);
    assert.deepEqual(lgetxattr(file, "user.large"), Buffer.alloc(2000, 0xaa));
    assert.deepEqual(lgetxattr(file, "trusted.empty"), Buffer.alloc(0));
    assert.throws(() => lsetxattr(file, "user.large", Buffer.alloc(1), kernel.XATTR_CREATE), /EEXIST/);
    lremovexattr(file, "user.large");
    assert.equal(lgetxattr(file, "user.large"), undefined);
  });

  it("work relative to a descriptor, which no program inherits", () => {
    const fd = openat(kernel.AT_FDCWD, dir, 0);
    mkdirat(fd, "made", 0o755);
    closeSync(openat(fd, "file", 0));
    assert.ok(readdirSync(dir).includes("made"));
    const flags = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
    assert.match(flags, /^flags:\s+0?2[0-7]{6}$/m);
    closeSync(fd);
  });
});

describe("a confined worker thread", () => {
  it("sees its own root, while the rest of the process does not", async () => {
    writeFileSync(join(dir, "inside"), "confined");
    symlinkSync("/inside", join(dir, "absolute-link"));
    const worker = new Worker(new URL("./testing/confined-thread.ts", import.meta.url), { workerData: dir });
    const said = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    assert.equal(said, "confined");
    assert.notEqual(process.cwd(), "/");
    assert.ok(readdirSync("/").includes("proc"));
    await worker.terminate();
  });
});

describe("workerFile", () => {
  it("is the source beside a source and the bundle beside a bundle", () => {
    assert.equal(workerFile("file:///a/src/host/x.ts", "y-worker").href, "file:///a/src/host/y-worker.ts");
    assert.equal(workerFile("file:///a/dist/crio.js", "y-worker").href, "file:///a/dist/y-worker.js");
  });
});
