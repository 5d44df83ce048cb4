import assert from "node:assert/strict";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import type { NamespaceOptions, Pod } from "../state/index.ts";
import type { ContainerConfig } from "./config.ts";
import { SeLinux } from "./selinux.ts";

const context = (type: string, role: string) => ({ user: "system_u", role, type, level: "s0" });
const policy = {
  process: context("container_t", "system_r"),
  file: context("container_file_t", "object_r"),
  kvmType: "container_kvm_t",
};
const own: NamespaceOptions = { network: "pod", pid: "container", ipc: "pod", targetId: "" };
const wish = { namespaces: own, options: undefined, isVirtualMachine: false };
/** As much of a pod as labels depend on. */
const aPod = (selinuxLabel: string, more: object = {}): Pod =>
  ({
    record: { namespaceOptions: own, hostNetwork: false, annotations: {}, ...more },
    spec: { process: { selinuxLabel } },
  }) as unknown as Pod;
const aContainer = (more: object = {}) =>
  ({ security: { namespaces: own, privileged: false, ...more } }) as unknown as Pick<ContainerConfig, "security">;
const labelled: string[] = [];
const relabeller = { relabel: async (path: string) => void labelled.push(path) };
const withPods = (pods: Pod[] = [], on = true) =>
  new SeLinux({ pods: { list: () => pods }, relabeller, hostNetworkDisables: true, ...(on ? { policy } : {}) });
const label = "system_u:system_r:container_t:s0:c1,c2";

describe("SELinux for pods", () => {
  it("gives each a level of its own, also while several are made", () => {
    const selinux = withPods([aPod(label)]);
    const levels = ["a", "b", "c"].map((id) => selinux.reserve(id, wish).process.split(":").slice(3).join(":"));
    assert.equal(new Set([...levels, "s0:c1,c2"]).size, 4);
    for (const level of levels) assert.match(level, /^s0:c\d+,c\d+$/);
  });

  it("gives none to those that share processes or IPC with the host, and none at all where it is off", () => {
    const none = { process: "", mount: "" };
    assert.deepEqual(withPods().reserve("a", { ...wish, namespaces: { ...own, pid: "node" } }), none);
    assert.deepEqual(withPods().reserve("a", { ...wish, namespaces: { ...own, ipc: "node" } }), none);
    assert.deepEqual(withPods([], false).reserve("a", wish), none);
    assert.deepEqual(withPods([], false).forContainer(aPod(label), aContainer()), { ...none, keepVolumes: true });
  });
});

describe("SELinux for containers", () => {
  const of = (pod: Pod, container: Pick<ContainerConfig, "security">) => withPods().forContainer(pod, container);

  it("is the pod's, with what the container says", () => {
    const mount = "system_u:object_r:container_file_t:s0:c1,c2";
    assert.deepEqual(of(aPod(label), aContainer()), { process: label, mount, keepVolumes: false });
    const selinux = { user: "", role: "", type: "spc_t", level: "s0:c5" };
    assert.deepEqual(of(aPod(label), aContainer({ selinux })), {
      process: "system_u:system_r:spc_t:s0:c5",
      mount: "system_u:object_r:container_file_t:s0:c5",
      keepVolumes: true,
    });
  });

  it("does not confine the privileged and those on the host's network, whose files are labelled all the same", () => {
    for (const [pod, container] of [
      [aPod(label), aContainer({ privileged: true })],
      [aPod(label, { hostNetwork: true }), aContainer()],
    ] as const) {
      const { process, mount } = of(pod, container);
      assert.deepEqual([process, mount], ["", "system_u:object_r:container_file_t:s0:c1,c2"]);
    }
  });

  it("relabels volumes, but nothing of the host, wherever a link leads", async () => {
    const dir = await mkdtemp(join(tmpdir(), "selinux-volumes-"));
    try {
      await symlink("/usr", join(dir, "link"));
      await withPods().relabel([dir], "", aPod(label));
      assert.deepEqual(labelled, []);
      await withPods().relabel([dir], label, aPod(label));
      assert.deepEqual(labelled, [dir]);
      await assert.rejects(
        withPods().relabel([join(dir, "link")], label, aPod(label)),
        (error) => isFault(error, "denied") && error.message.startsWith("relabel failed "),
      );
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
