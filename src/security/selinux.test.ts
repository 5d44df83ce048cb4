import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { mergedSeLinuxOptions, seLinuxLabelText, seLinuxMode } from "./selinux.ts";

const pod = { user: "system_u", role: "system_r", type: "container_t", level: "s0:c1,c2" };

describe("SELinux", () => {
  it("is disabled where the kernel shows no enforce file", async () => {
    const directory = await mkdtemp(join(tmpdir(), "selinux-"));
    try {
      const file = join(directory, "enforce");
      assert.equal(await seLinuxMode(file), "disabled");
      await writeFile(file, "1");
      assert.equal(await seLinuxMode(file), "enforcing");
      await writeFile(file, "0");
      assert.equal(await seLinuxMode(file), "permissive");
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("lets a container override the pod's options part by part", () => {
    assert.deepEqual(mergedSeLinuxOptions(pod, { user: "", role: "", type: "spc_t", level: "" }), {
      ...pod,
      type: "spc_t",
    });
    assert.deepEqual(mergedSeLinuxOptions(pod, undefined), pod);
  });

  it("writes a label, but no part that holds another", () => {
    assert.equal(seLinuxLabelText(pod), "system_u:system_r:container_t:s0:c1,c2");
    for (const bad of [
      { ...pod, type: "a:b" },
      { ...pod, user: "" },
      { ...pod, level: "s0 x" },
      { ...pod, role: "a\n" },
    ]) {
      assert.throws(
        () => seLinuxLabelText(bad),
        (error) => isFault(error, "invalid"),
      );
    }
  });
});
