/**
 * Real CNI plugins: what `network/` makes with them, and that nothing of it remains. Runs itself again in namespaces of its own,
 * and gives host-local a directory of its own, so that nothing of the machine is touched.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault, newId, silentLogger } from "../../src/base/index.ts";
import { createPodNetworks, type PodNetworks } from "../../src/network/index.ts";
import { mustRun, run } from "../support/programs.ts";
import { isInside, reasonNotInside, runInside } from "./own-namespaces.ts";

const pluginDir = ["/usr/lib/cni", "/opt/cni/bin"].find((directory) => existsSync(join(directory, "bridge")));

function reasonToSkip(): string | undefined {
  if (pluginDir === undefined) return "the CNI plugins (bridge, host-local, portmap …) are not installed";
  return reasonNotInside("ip", "tc", "unshare", "nsenter", "iptables");
}

if (isInside()) describeInside();
else {
  describe("real CNI plugins", { skip: reasonToSkip() ?? false }, () => {
    it("work in a node of their own", () => runInside(import.meta.url));
  });
}

/** A network "pods" with its state below a temporary directory, and the pods that a test makes. */
class Cluster implements AsyncDisposable {
  readonly root: string;
  readonly leases: string;
  readonly networks: PodNetworks;
  readonly binDir: string;

  constructor(root: string) {
    this.root = root;
    this.leases = join(root, "leases");
    this.binDir = join(root, "bin");
    this.networks = this.newDaemon();
  }

  /** `last` is a script for a plugin at the end of the chain. */
  static async make(options: { cniVersion?: string; last?: string; ipMasq?: boolean } = {}): Promise<Cluster> {
    const { cniVersion = "1.0.0", last, ipMasq = true } = options;
    const cluster = new Cluster(await mkdtemp(join(tmpdir(), "cni-host-")));
    for (const name of ["conf", "bin", "netns"]) await mkdir(join(cluster.root, name));
    const plugins: object[] = [
      {
        type: "bridge",
        bridge: "cni-test0",
        isGateway: true,
        ipMasq,
        ipam: {
          type: "host-local",
          dataDir: cluster.leases,
          ranges: [[{ subnet: "10.219.7.0/28" }], [{ subnet: "fd21:9:7::/120" }]],
          routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
      { type: "bandwidth", capabilities: { bandwidth: true } },
      { type: "tuning", sysctl: { "net.core.somaxconn": "321" } },
    ];
    if (last !== undefined) {
      await writeFile(join(cluster.binDir, "last"), last);
      await chmod(join(cluster.binDir, "last"), 0o755);
      plugins.push({ type: "last" });
    }
    const list = { cniVersion, name: "pods", plugins };
    await writeFile(join(cluster.root, "conf", "10-pods.conflist"), JSON.stringify(list));
    await cluster.networks.start();
    assert.deepEqual(cluster.networks.status(), { is: "ready" });
    return cluster;
  }

  newDaemon(): PodNetworks {
    return createPodNetworks({
      confDir: join(this.root, "conf"),
      pluginDirs: [this.binDir, pluginDir ?? ""],
      defaultNetwork: "",
      cacheDir: join(this.root, "cache"),
      log: silentLogger,
    });
  }

  /** A pod with a fresh network namespace. It limits its bandwidth: CHECK of the plugin (1.1.1) crashes on pods that do not. */
  async pod() {
    const annotations = { "kubernetes.io/ingress-bandwidth": "10M" };
    const id = newId();
    const netns = join(this.root, "netns", id);
    await writeFile(netns, "");
    await mustRun(["unshare", `--net=${netns}`, "ip", "link", "set", "lo", "up"]);
    return { id, name: `pod-${id.slice(0, 6)}`, namespace: "test", uid: id.slice(0, 8), netns, annotations };
  }

  async leftovers(): Promise<readonly string[]> {
    const leases = (await readdir(join(this.leases, "pods")).catch(() => [])).filter(
      (name) => !/^(lock|last_)/.test(name),
    );
    const cached = await readdir(join(this.root, "cache", "results")).catch(() => []);
    const links = JSON.parse((await mustRun(["ip", "-j", "link"])).stdout) as { ifname: string }[];
    const foreign = links
      .map(({ ifname }) => ifname)
      .filter((name) => !["lo", "cni-test0", "tunl0", "sit0"].includes(name));
    const rules = (await mustRun(["iptables", "-t", "nat", "-S"])).stdout
      .split("\n")
      .filter((line) => line.includes("10.219.7."));
    return [...leases, ...cached, ...foreign, ...rules];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.networks.stop();
    for (const name of await readdir(join(this.root, "netns")))
      await run(["umount", "-l", join(this.root, "netns", name)]);
    await run(["ip", "link", "delete", "cni-test0"]);
    await rm(this.root, { recursive: true, force: true });
  }
}

/** The addresses of an interface inside a pod. */
async function addressesIn(netns: string, ifName: string): Promise<readonly string[]> {
  const { code, stdout } = await run(["nsenter", `--net=${netns}`, "ip", "-j", "addr", "show", "dev", ifName]);
  if (code !== 0) return [];
  const [link] = JSON.parse(stdout) as { addr_info: { local: string; scope: string }[] }[];
  return link?.addr_info.filter(({ scope }) => scope === "global").map(({ local }) => local) ?? [];
}

function describeInside(): void {
  describe("a chain of bridge, host-local, portmap, bandwidth and tuning", () => {
    for (const cniVersion of ["0.3.1", "0.4.0", "1.0.0"]) {
      it(`attaches and detaches in version ${cniVersion}`, async () => {
        await using cluster = await Cluster.make({ cniVersion });
        const pods = [await cluster.pod(), await cluster.pod()];
        const made = await Promise.all(pods.map((pod) => cluster.networks.attach(pod)));
        for (const [index, pod] of pods.entries()) {
          const { ips = [], interfaces = [], result } = made[index] ?? {};
          assert.match(ips.join(" "), /^10\.219\.7\.\d+ fd21:9:7::[0-9a-f]+$/);
          assert.deepEqual([...(await addressesIn(pod.netns, "eth0"))].sort(), [...ips].sort());
          assert.ok(interfaces.some(({ name, sandbox }) => name === "eth0" && sandbox === pod.netns));
          assert.equal(result?.cniVersion, cniVersion);
          assert.deepEqual(await cluster.networks.cached(pod), made[index]);
          assert.equal((await readFile(join(cluster.leases, "pods", ips[0] ?? ""), "utf8")).split(/\s/)[0], pod.id);
          const somaxconn = await mustRun(["nsenter", `--net=${pod.netns}`, "cat", "/proc/sys/net/core/somaxconn"]);
          assert.equal(somaxconn.stdout.trim(), "321");
        }
        assert.match((await mustRun(["tc", "qdisc"])).stdout, /tbf .*rate 10Mbit/);
        for (const pod of pods) await cluster.networks.detach(pod);
        for (const pod of pods) assert.deepEqual(await addressesIn(pod.netns, "eth0"), []);
        assert.deepEqual(await cluster.leftovers(), []);
        for (const pod of pods) await cluster.networks.detach(pod);
      });
    }

    it("leaves nothing when the last plugin fails", async () => {
      const fails = `#!/bin/sh
case $CNI_COMMAND in
VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}' ;;
ADD) echo '{"code":100,"msg":"the last one refuses"}'; exit 1 ;;
esac
`;
      await using cluster = await Cluster.make({ last: fails });
      const pod = await cluster.pod();
      await assert.rejects(
        cluster.networks.attach(pod),
        /plugin type="last" name="pods" failed \(add\): the last one refuses/,
      );
      assert.deepEqual(await cluster.leftovers(), []);
      assert.deepEqual(await addressesIn(pod.netns, "eth0"), []);
    });

    it("leaves nothing when a plugin hangs and is killed", async () => {
      const hangs = `#!/bin/sh
case $CNI_COMMAND in
VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}' ;;
ADD) sleep 1000 ;;
esac
`;
      await using cluster = await Cluster.make({ last: hangs });
      const pod = await cluster.pod();
      const attaching = cluster.networks.attach(pod, { timeoutMs: 2000 });
      await assert.rejects(
        attaching,
        (e) => isFault(e, "deadline") && /plugin type="last".*killed after/.test(e.message),
      );
      assert.deepEqual(await cluster.leftovers(), []);
    });

    it("leaves nothing when CHECK finds the address gone", async () => {
      const spoils = `#!/bin/sh
input=$(cat)
case $CNI_COMMAND in
VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}' ;;
ADD) nsenter --net=$CNI_NETNS ip addr flush dev eth0; printf '%s' "$input" | sed 's/.*"prevResult"://; s/}$//' ;;
esac
`;
      await using cluster = await Cluster.make({ last: spoils, ipMasq: false });
      const pod = await cluster.pod();
      await assert.rejects(cluster.networks.attach(pod), /plugin type="bridge" name="pods" failed \(check\): /);
      assert.deepEqual(await cluster.leftovers(), []);
    });

    // Without masquerading: the bridge plugin (1.1.1) finds its rules by the addresses it sees in the namespace.
    it("releases the address of a pod whose namespace is gone", async () => {
      await using cluster = await Cluster.make({ ipMasq: false });
      const pod = await cluster.pod();
      await cluster.networks.attach(pod);
      await mustRun(["umount", "-l", pod.netns]);
      await cluster.networks.detach({ ...pod, netns: undefined });
      // The kernel takes the pair of interfaces away some time after its namespace.
      await untilEmpty(() => cluster.leftovers());
    });

    it("releases the address when the cache is damaged, and when nothing was written down", async () => {
      await using cluster = await Cluster.make();
      for (const damage of [(file: string) => writeFile(file, "{"), (file: string) => rm(file)]) {
        const pod = await cluster.pod();
        await cluster.networks.attach(pod);
        await damage(join(cluster.root, "cache", "results", `pods-${pod.id}-eth0`));
        await cluster.networks.detach(pod);
        assert.deepEqual(await cluster.leftovers(), []);
      }
    });

    it("detaches after a restart with another configuration, and collects what was forgotten", async () => {
      await using cluster = await Cluster.make();
      const [kept, stale] = [await cluster.pod(), await cluster.pod()];
      for (const pod of [kept, stale]) await cluster.networks.attach(pod);
      const after = cluster.newDaemon();
      await after.start();
      await after.collectGarbage(() => [kept]);
      assert.deepEqual(await addressesIn(stale.netns, "eth0"), []);
      assert.equal((await addressesIn(kept.netns, "eth0")).length, 2);
      await rm(join(cluster.root, "conf", "10-pods.conflist"));
      await after.detach(kept);
      await after.stop();
      assert.deepEqual(await cluster.leftovers(), []);
    });
  });
}

async function untilEmpty(list: () => Promise<readonly string[]>): Promise<void> {
  const until = performance.now() + 10_000;
  for (;;) {
    const left = await list();
    if (left.length === 0) return;
    assert.ok(performance.now() < until, `left over: ${left.join(", ")}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
