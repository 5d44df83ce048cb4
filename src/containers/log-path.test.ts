import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Fault } from "../base/index.ts";
import { logPlaceOf, prepareLog } from "./log-path.ts";

const id = "c".repeat(64);
const directory = "/var/log/pods/a";
const pathOf = (logPath: string) => logPlaceOf(id, { directory, logPath }).path;

describe("the place of a log", () => {
  it("is in the pod's log directory", () => {
    assert.equal(pathOf("app/0.log"), "/var/log/pods/a/app/0.log");
    assert.equal(pathOf(""), `/var/log/pods/a/${id}.log`);
    assert.equal(pathOf("/app//./0.log"), "/var/log/pods/a/app/0.log");
    assert.equal(pathOf("..app/..0.log"), "/var/log/pods/a/..app/..0.log");
    assert.equal(logPlaceOf(id, { directory: "/a//b/", logPath: "c" }).path, "/a/b/c");
    assert.equal(logPlaceOf(id, { directory: "/", logPath: "c" }).path, "/c");
  });

  it("is never out of it", () => {
    for (const logPath of ["..", "../x", "a/../../x", "a/..", "/..", "a\nb", "a\0b", ".", "./", "/", "a/"]) {
      assert.throws(() => pathOf(logPath), Fault, JSON.stringify(logPath));
    }
    for (const bad of ["", "relative", "/var/log/../../etc", "/a\nb", "/a\0b"]) {
      assert.throws(() => logPlaceOf(id, { directory: bad, logPath: "x" }), Fault, JSON.stringify(bad));
    }
  });

  it("is made, but not through a symbolic link", async () => {
    const dir = await mkdtemp(join(tmpdir(), "crio-log-"));
    try {
      const [logs, elsewhere] = [join(dir, "logs"), join(dir, "elsewhere")];
      await mkdir(elsewhere);
      const prepare = (logPath: string) => prepareLog(logPlaceOf(id, { directory: logs, logPath }));
      await prepare("app/0.log");
      await prepare("app/0.log");
      assert.ok((await stat(join(logs, "app"))).isDirectory());
      await symlink(elsewhere, join(logs, "link"));
      await assert.rejects(prepare("link/0.log"), /link is not a directory/);
      await assert.rejects(prepare("link/below/0.log"), /link is not a directory/);
      await writeFile(join(elsewhere, "file"), "");
      await symlink(join(elsewhere, "file"), join(logs, "app/1.log"));
      await assert.rejects(prepare("app/1.log"), /symbolic link to/);
      await symlink(join(elsewhere, "nothing"), join(logs, "app/2.log"));
      await prepare("app/2.log");
      assert.deepEqual(await readdir(join(logs, "app")), ["1.log"]);
      assert.deepEqual(await readdir(elsewhere), ["file"]);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
