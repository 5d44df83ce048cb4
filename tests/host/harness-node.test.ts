/** The throw-away node itself: what a command finds in it, and that nothing stays. Runs in a node, and makes nodes in that. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rmdir } from "node:fs/promises";
import { describe, it } from "node:test";
import { hierarchiesFrom } from "../support/node/cgroups.ts";
import { compareInventories, expectNoLeaks, type NodeResult, runInNode, takeInventory } from "../support/node/index.ts";
import { mirrorFrom } from "../support/userland/index.ts";

describe("a throw-away node", { skip: process.getuid?.() === 0 ? false : "needs root" }, () => {
  it("has its own processes, interfaces, host name and state, and the project read-only", async () => {
    const script = `
      echo "init $(tr '\\0' ' ' </proc/1/cmdline)"; echo "links $(ls /sys/class/net | tr '\\n' ' ')"; hostname
      ls -A /var/lib/containers /run/crio 2>/dev/null
      touch ./written 2>/dev/null && echo "writable-$((1 + 1))"; true`;
    const { output, code } = await inNode(script);
    assert.equal(code, 0, output);
    assert.match(output, /^init \/bin\/bash .*\/init\.sh/);
    assert.match(output, /^links eth0 eth0-peer lo $/m);
    assert.match(output, /^harness-\d+-\w+$/m);
    assert.doesNotMatch(output, /writable-2/);
  });

  it("hands on the command's exit code", async () => {
    assert.equal((await inNode("exit 7")).code, 7);
  });

  it("says what is left over, fails for it, and takes it along", async () => {
    const before = await takeInventory();
    const cgroups = await cgroupFolder();
    const result = await inNode(`
      sleep 1000 & mkdir /tmp/m && mount -t tmpfs left /tmp/m && mkdir ${cgroups}/left
      mkdir -p /run/netns && touch /run/netns/pod && unshare --net=/run/netns/pod true
      mkdir -p /var/lib/cni/networks/n && echo x >/var/lib/cni/networks/n/10.0.0.2
      mkdir -p /var/lib/containers/storage/overlay/abc /run/crun/container`);
    assert.equal(result.code, 70, result.output);
    const leaks = result.leaks.join("\n");
    for (const expected of [
      /^processes: sleep 1000/m,
      /^mounts: \/tmp\/m tmpfs of left$/m,
      /^mounts: \/run\/netns\/pod nsfs/m,
      /^cgroups: .*\/left$/m,
      /^address leases: .*\/10\.0\.0\.2$/m,
      /^layers: folder abc$/m,
      /^pinned namespaces: \/var\/run\/netns\/pod$/m,
      /^runtime state: \/run\/crun\/container$/m,
    ]) {
      assert.match(leaks, expected);
    }
    await expectNoLeaks(before, { ignore: ["images"] });
  });

  it("ends a command that takes too long, with all that it started", async () => {
    const before = await takeInventory();
    const result = await inNode("sleep 1000 & exec sleep 1000", 1_000);
    assert.equal(result.timedOut, true);
    assert.equal(result.code, 124);
    await expectNoLeaks(before, { ignore: ["images"] });
  });
});

describe("an inventory", () => {
  it("counts equal things one by one", () => {
    const before = new Map([["mounts", ["a", "b"]]] as const);
    const after = new Map([["mounts", ["a", "a", "b"]]] as const);
    assert.deepEqual(compareInventories(before, after), ["mounts: a"]);
    assert.deepEqual(compareInventories(after, before), []);
    assert.deepEqual(compareInventories(before, after, ["mounts"]), []);
  });

  it("sees a cgroup until it is removed", async () => {
    const before = await takeInventory();
    const folder = `${await cgroupFolder()}/harness-inventory`;
    await mkdir(folder);
    await assert.rejects(expectNoLeaks(before, { settleMs: 0 }), /cgroups: .*harness-inventory/);
    await rmdir(folder);
    await expectNoLeaks(before);
  });
});

describe("what the harness reads of its host", () => {
  it("finds v1 and v2 hierarchies with the options that show them again", () => {
    const mountinfo = [
      "31 29 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
      "32 29 0:28 / /sys/fs/cgroup/systemd rw,relatime shared:9 - cgroup cgroup rw,xattr,name=systemd",
      "33 29 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
      "34 29 0:30 / /tmp rw - tmpfs tmpfs rw",
    ].join("\n");
    assert.deepEqual(hierarchiesFrom(mountinfo), [
      { folder: "/sys/fs/cgroup/memory", type: "cgroup", options: "memory" },
      { folder: "/sys/fs/cgroup/systemd", type: "cgroup", options: "none,name=systemd" },
      { folder: "/sys/fs/cgroup/unified", type: "cgroup2", options: "" },
    ]);
  });

  it("takes Debian's archive from apt's sources, not the security one", () => {
    const targets = "http://one.test/security|Debian|bookworm-security\nhttp://two.test/debian|Debian|bookworm\n";
    assert.equal(mirrorFrom(targets), "http://two.test/debian");
    assert.equal(mirrorFrom(""), undefined);
  });
});

function inNode(script: string, timeoutMs = 120_000): Promise<NodeResult> {
  return runInNode({ command: ["bash", "-c", script], name: "harness", registry: false, timeoutMs });
}

/** A cgroup hierarchy's own folder: the v2 one, or any of v1. */
async function cgroupFolder(): Promise<string> {
  const root = "/sys/fs/cgroup";
  if ((await readdir(root)).includes("cgroup.controllers")) return root;
  assert.match(await readFile("/proc/self/cgroup", "utf8"), /:pids:/);
  return `${root}/pids`;
}
