import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import {
  freeSeLinuxLevel,
  loadSeLinuxPolicy,
  parseSeLinuxContexts,
  parseSeLinuxLabel,
  refuseHostRelabel,
  seLinuxLabelsFor,
} from "./selinux-policy.ts";

const contexts = `process = "system_u:system_r:container_t:s0"
content = "system_u:object_r:virt_var_lib_t:s0"
file = "system_u:object_r:container_file_t:s0"
kvm_process = "system_u:system_r:container_kvm_t:s0"
`;
const policy = parseSeLinuxContexts(contexts);
const none = { user: "", role: "", type: "", level: "" };
const level = "s0:c1,c2";

describe("SELinux labels", () => {
  it("are the policy's with the pod's level, for processes and for files", () => {
    assert.deepEqual(seLinuxLabelsFor(policy, none, { level, isVirtualMachine: false }), {
      process: "system_u:system_r:container_t:s0:c1,c2",
      mount: "system_u:object_r:container_file_t:s0:c1,c2",
    });
    assert.deepEqual(seLinuxLabelsFor(policy, none, { level, isVirtualMachine: true }), {
      process: "system_u:system_r:container_kvm_t:s0:c1,c2",
      mount: "system_u:object_r:container_file_t:s0:c1,c2",
    });
  });

  it("have what the options say; files follow in user and level alone", () => {
    const options = { user: "u_u", role: "r_r", type: "spc_t", level: "s0:c7" };
    assert.deepEqual(seLinuxLabelsFor(policy, options, { level, isVirtualMachine: false }), {
      process: "u_u:r_r:spc_t:s0:c7",
      mount: "u_u:object_r:container_file_t:s0:c7",
    });
    const injected = { ...none, type: "spc_t:s0" };
    assert.throws(
      () => seLinuxLabelsFor(policy, injected, { level, isVirtualMachine: false }),
      (error) => isFault(error, "invalid"),
    );
  });

  it("have a level of two categories that nobody else has", () => {
    const numbers = [0.5, 0.5, 0.25, 0.125, 0.125, 0.25, 0.75, 0.5];
    const next = () => numbers.shift() ?? 0;
    assert.equal(freeSeLinuxLevel(new Set(["s0:c128,c256"]), next), "s0:c512,c768");
    const taken = new Set<string>();
    for (let n = 0; n < 2000; n += 1) taken.add(freeSeLinuxLevel(taken));
    assert.equal(taken.size, 2000);
  });

  it("are read from the policy in use, and asked for where it has none", async () => {
    const root = await mkdtemp(join(tmpdir(), "selinux-policy-"));
    try {
      await assert.rejects(loadSeLinuxPolicy(root), /install the policy for containers/);
      await writeFile(join(root, "config"), "SELINUX=enforcing\nSELINUXTYPE=mls\n");
      await mkdir(join(root, "mls/contexts"), { recursive: true });
      await writeFile(join(root, "mls/contexts/lxc_contexts"), contexts);
      assert.deepEqual(await loadSeLinuxPolicy(root), policy);
      await writeFile(join(root, "mls/contexts/lxc_contexts"), "nothing\n");
      await assert.rejects(loadSeLinuxPolicy(root), (error) => isFault(error, "invalid"));
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it("are read back part by part", () => {
    const parts = { user: "system_u", role: "system_r", type: "container_t", level: "s0:c1,c2" };
    assert.deepEqual(parseSeLinuxLabel("system_u:system_r:container_t:s0:c1,c2"), parts);
    assert.throws(() => parseSeLinuxLabel("system_u"), /invalid SELinux option/);
  });

  it("are not given to what belongs to the host", () => {
    for (const path of ["/", "/etc", "/usr", "/usr/lib/x", "/home", "/var", "/var/lib", "/proc/1", "/dev/sda"]) {
      assert.throws(
        () => refuseHostRelabel(path),
        (error) => isFault(error, "denied"),
        path,
      );
    }
    for (const path of ["/var/lib/kubelet/pods/x/volumes", "/srv/data", "/home/user/data", "/etc/app"])
      refuseHostRelabel(path);
  });
});
