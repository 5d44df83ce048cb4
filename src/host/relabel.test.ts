import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Relabeller, seLinuxLabelOf } from "./relabel.ts";
import { lsetxattr } from "./syscalls.ts";

const label = "system_u:object_r:container_file_t:s0:c1,c2";

describe("labels of a tree", { skip: process.getuid?.() === 0 ? false : "needs root" }, () => {
  it("reach all of it, links themselves and nothing that they lead to", async (t) => {
    const dir = await mkdtemp(join(tmpdir(), "relabel-"));
    const relabeller = new Relabeller();
    try {
      try {
        lsetxattr(dir, "security.selinux", Buffer.from("before"));
      } catch {
        t.skip("this file system keeps no labels");
        return;
      }
      await mkdir(join(dir, "tree/a/b"), { recursive: true });
      await mkdir(join(dir, "outside"));
      for (const file of ["tree/one", "tree/a/b/two", "outside/three"]) await writeFile(join(dir, file), "");
      await symlink("../outside", join(dir, "tree/link"));
      await symlink("/nowhere", join(dir, "tree/dangling"));
      await relabeller.relabel(join(dir, "tree"), label);
      for (const path of ["tree", "tree/one", "tree/a/b", "tree/a/b/two", "tree/link", "tree/dangling"]) {
        assert.equal(seLinuxLabelOf(join(dir, path)), label, path);
      }
      for (const path of ["outside", "outside/three"]) assert.equal(seLinuxLabelOf(join(dir, path)), "", path);
      await assert.rejects(relabeller.relabel(join(dir, "missing"), label), /ENOENT|no such/i);
    } finally {
      await relabeller.stop();
      await rm(dir, { recursive: true });
    }
  });
});
