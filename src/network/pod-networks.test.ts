import assert from "node:assert/strict";
import { chmod, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Fault, isFault, silentLogger } from "../base/index.ts";
import { createPodNetworks, type PodNetworks, type PodNetworksOptions } from "./pod-networks.ts";
import { addressAnswer, failAnswer, ScriptedPlugins } from "./scripted-plugins.ts";

const pod = (id: string, name = id) => ({
  id,
  name,
  namespace: "shop",
  uid: `uid-${id}`,
  netns: `/run/netns/${id}`,
  annotations: { "kubernetes.io/ingress-bandwidth": "1M" },
});

/** A node with plugins "one" and "two", a network "pods" that chains them, and pod networks that have been started. */
class Node extends ScriptedPlugins {
  networks: PodNetworks | undefined;

  static override async make(more: object = {}, options: Partial<PodNetworksOptions> = {}): Promise<Node> {
    const { root } = await ScriptedPlugins.make();
    const node = new Node(root);
    await node.plugin("one");
    await node.plugin("two", { ADD: addressAnswer("10.9.0.6/24") });
    const plugins = [{ type: "one" }, { type: "two" }];
    await node.configure("1.conflist", { name: "pods", cniVersion: "1.0.0", plugins, ...more });
    await node.start(options);
    return node;
  }

  /** A daemon's beginning; a second one on the same directories is a restart. */
  async start(options: Partial<PodNetworksOptions> = {}): Promise<PodNetworks> {
    const { confDir, binDir, cacheDir } = this;
    await this.networks?.stop();
    const where = { confDir, pluginDirs: [binDir], cacheDir, defaultNetwork: "", log: silentLogger };
    this.networks = createPodNetworks({ ...where, ...options });
    await this.networks.start();
    return this.networks;
  }

  get pods(): PodNetworks {
    assert.ok(this.networks !== undefined);
    return this.networks;
  }

  async cached(): Promise<readonly string[]> {
    return readdir(join(this.cacheDir, "results")).catch(() => []);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.networks?.stop();
    await super[Symbol.asyncDispose]();
  }
}

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(isFault(error), `no Fault but ${String(error)}`);
  return error;
}

describe("attach", () => {
  it("adds, writes down, checks and answers", async () => {
    await using node = await Node.make();
    const made = await node.pods.attach(pod("p1"));
    assert.deepEqual(made, {
      network: "pods",
      ifName: "eth0",
      ips: ["10.9.0.6"],
      interfaces: [],
      result: { cniVersion: "1.0.0", ips: [{ version: "4", address: "10.9.0.6/24" }] },
      currentResult: { cniVersion: "1.1.0", ips: [{ version: "4", address: "10.9.0.6/24" }] },
    });
    assert.deepEqual(await node.order(), ["one ADD", "two ADD", "one CHECK", "two CHECK"]);
    assert.deepEqual(await node.cached(), ["pods-p1-eth0"]);
    assert.deepEqual(await node.pods.cached({ id: "p1" }), made);
    const args =
      "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=p1;K8S_POD_INFRA_CONTAINER_ID=p1;K8S_POD_UID=uid-p1";
    for (const { env } of await node.calls()) assert.equal(env.CNI_ARGS, args);
  });

  it("checks only where the version has it and nobody forbids it", async () => {
    for (const more of [{ cniVersion: "0.3.1" }, { disableCheck: true }]) {
      await using node = await Node.make(more);
      await node.pods.attach(pod("p1"));
      assert.deepEqual(await node.order(), ["one ADD", "two ADD"]);
    }
  });

  it("leaves nothing behind when a plugin refuses, and says what the plugin said", async () => {
    await using node = await Node.make();
    await node.plugin("two", { ADD: failAnswer(100, "no address left") });
    const fault = await faultOf(node.pods.attach(pod("p1")));
    assert.equal(
      fault.message,
      'error adding pod shop_p1: CNI network "pods": plugin type="two" name="pods" failed (add): no address left (code 100)',
    );
    assert.deepEqual(await node.order(), ["one ADD", "two ADD", "two DEL", "one DEL"]);
    assert.deepEqual((await node.calls())[2]?.config.prevResult, {
      cniVersion: "1.0.0",
      ips: [{ version: "4", address: "10.9.0.5/24" }],
    });
    assert.deepEqual(await node.cached(), []);
  });

  it("leaves nothing behind when CHECK fails", async () => {
    await using node = await Node.make();
    await node.plugin("one", { CHECK: failAnswer(100, "no route") });
    assert.match((await faultOf(node.pods.attach(pod("p1")))).message, /failed \(check\): no route/);
    assert.deepEqual(await node.order(), ["one ADD", "two ADD", "one CHECK", "two DEL", "one DEL"]);
    assert.deepEqual(await node.cached(), []);
  });

  it("deletes with every plugin even if one cannot, and tells both failures, the first one first", async () => {
    await using node = await Node.make();
    await node.plugin("two", { ADD: failAnswer(11, "not now"), DEL: failAnswer(100, "nor this") });
    const fault = await faultOf(node.pods.attach(pod("p1")));
    assert.equal(fault.code, "unavailable");
    assert.match(
      fault.message,
      /failed \(add\): not now .*; deleting it again failed too: .*failed \(delete\): nor this/,
    );
    assert.deepEqual(await node.order(), ["one ADD", "two ADD", "two DEL", "one DEL"]);
  });

  it("deletes under a deadline of its own when the caller's has passed", async () => {
    await using node = await Node.make();
    await node.plugin("two", { ADD: "sleep 1000" });
    const fault = await faultOf(node.pods.attach(pod("p1"), { timeoutMs: 700 }));
    assert.equal(fault.code, "deadline");
    assert.match(
      fault.message,
      /plugin type="two" name="pods" failed \(add\): killed after 0\.\d s: .*no end after 0\.7 s/,
    );
    assert.deepEqual(await node.order(), ["one ADD", "two ADD", "two DEL", "one DEL"]);

    const stop = new AbortController();
    const attaching = node.pods.attach(pod("p2"), { signal: stop.signal });
    setTimeout(() => stop.abort(new Fault("cancelled", "the kubelet left")), 300);
    const left = await faultOf(attaching);
    assert.equal(left.code, "cancelled");
    assert.match(left.message, /the kubelet left/);
    assert.deepEqual((await node.order()).slice(-2), ["two DEL", "one DEL"]);
  });

  it("undoes when the result cannot be written down", async () => {
    await using node = await Node.make();
    await mkdir(node.cacheDir, { recursive: true });
    await writeFile(join(node.cacheDir, "results"), "in the way");
    const fault = await faultOf(node.pods.attach(pod("p1")));
    assert.match(fault.message, /writing the CNI result/);
    assert.deepEqual((await node.order()).slice(-2), ["two DEL", "one DEL"]);
  });

  it("refuses before anything happens: bad identity, no namespace, no network", async () => {
    await using node = await Node.make();
    assert.equal((await faultOf(node.pods.attach({ ...pod("p1"), name: "a;b=c" }))).code, "invalid");
    assert.equal((await faultOf(node.pods.attach({ ...pod("p1"), netns: undefined }))).code, "precondition");
    const annotations = { "kubernetes.io/egress-bandwidth": "fast" };
    const fault = await faultOf(node.pods.attach({ ...pod("p1"), annotations }));
    assert.match(fault.message, /failed to parse egress bandwidth/);
    await rm(join(node.confDir, "1.conflist"));
    await node.start();
    const missing = await faultOf(node.pods.attach(pod("p1")));
    assert.equal(missing.code, "unavailable");
    assert.match(missing.message, /no CNI configuration file in .*\. Has your network provider started\?/);
    assert.deepEqual(await node.order(), []);
  });

  it("takes one pod's operations one after the other, different pods together", async () => {
    await using node = await Node.make({ disableCheck: true });
    // "one" waits until both pods are in it: that only ends when they run together.
    const meet = `touch ${node.root}/in-$CNI_CONTAINERID; until [ -e ${node.root}/in-p1 -a -e ${node.root}/in-p2 ]; do sleep 0.02; done;`;
    await node.plugin("one", { ADD: `${meet} ${addressAnswer("10.9.0.5/24")}` });
    await Promise.all([node.pods.attach(pod("p1")), node.pods.attach(pod("p2"))]);
    await rm(join(node.root, "calls"), { recursive: true });
    await mkdir(join(node.root, "calls"));
    await node.plugin("two", { ADD: `sleep 0.3; ${addressAnswer("10.9.0.6/24")}` });
    await Promise.all([node.pods.attach(pod("p3", "same")), node.pods.detach(pod("p4", "same"))]);
    assert.deepEqual(await node.order(), ["one ADD", "two ADD", "two DEL", "one DEL"]);
  });
});

describe("detach", () => {
  it("deletes with the configuration, arguments and result of ADD, whatever is configured now", async () => {
    await using node = await Node.make();
    await node.pods.attach(pod("p1"));
    await node.configure("1.conflist", { name: "other", cniVersion: "1.0.0", plugins: [{ type: "one" }] });
    await node.start();
    await node.pods.detach({ ...pod("p1"), netns: undefined, uid: "later", annotations: {} });
    const [two, one] = (await node.calls()).slice(-2);
    assert.deepEqual([two?.plugin, two?.command, one?.plugin, one?.command], ["two", "DEL", "one", "DEL"]);
    assert.equal(two?.env.CNI_NETNS, "");
    assert.match(two?.env.CNI_ARGS ?? "", /K8S_POD_UID=uid-p1$/);
    assert.deepEqual(two?.config.name, "pods");
    assert.deepEqual(two?.config.prevResult, {
      cniVersion: "1.0.0",
      ips: [{ version: "4", address: "10.9.0.6/24" }],
    });
    assert.deepEqual(await node.cached(), []);
  });

  it("deletes from the default network when nothing was written down, and again when asked again", async () => {
    await using node = await Node.make();
    await node.pods.detach(pod("p1"));
    await node.pods.detach(pod("p1"));
    assert.deepEqual(await node.order(), ["two DEL", "one DEL", "two DEL", "one DEL"]);
    assert.equal("prevResult" in ((await node.calls())[0]?.config ?? {}), false);
  });

  it("goes on without the result when the cache is damaged", async () => {
    await using node = await Node.make();
    await node.pods.attach(pod("p1"));
    await writeFile(join(node.cacheDir, "results", "pods-p1-eth0"), "{damaged");
    assert.equal(await node.pods.cached({ id: "p1" }), undefined);
    await node.pods.detach(pod("p1"));
    const last = (await node.calls()).at(-1);
    assert.deepEqual([last?.plugin, last?.command, "prevResult" in (last?.config ?? {})], ["one", "DEL", false]);
    assert.deepEqual(await node.cached(), []);
  });

  it("keeps the cache when a plugin fails, so that it can be tried again", async () => {
    await using node = await Node.make();
    await node.pods.attach(pod("p1"));
    await node.plugin("two", { DEL: failAnswer(100, "busy") });
    const fault = await faultOf(node.pods.detach(pod("p1")));
    assert.match(fault.message, /^error removing pod shop_p1: CNI network "pods": plugin type="two".*\(delete\): busy/);
    assert.deepEqual(await node.cached(), ["pods-p1-eth0"]);
    await node.plugin("two");
    await node.pods.detach(pod("p1"));
    assert.deepEqual(await node.cached(), []);
  });

  it("kills a plugin that hangs and names it", async () => {
    await using node = await Node.make();
    await node.plugin("two", { DEL: "sleep 1000" });
    const fault = await faultOf(node.pods.detach(pod("p1"), { timeoutMs: 500 }));
    assert.equal(fault.code, "deadline");
    assert.match(fault.message, /plugin type="two" name="pods" failed \(delete\): killed after 0\.\d s/);
  });

  it("needs no network for a pod that can never have been attached", async () => {
    await using node = await Node.make();
    await node.pods.detach({ ...pod("p1"), name: "a;b" });
    assert.deepEqual(await node.order(), []);
  });

  it("only forgets the loopback network of older runtimes", async () => {
    await using node = await Node.make();
    await node.pods.attach(pod("p1"));
    await foreignAttachment(node, "p1", "cni-loopback", "lo");
    assert.equal((await node.pods.cached({ id: "p1" }))?.network, "pods");
    await node.pods.detach(pod("p1"));
    assert.deepEqual((await node.order()).slice(-2), ["two DEL", "one DEL"]);
    assert.deepEqual(await node.cached(), []);
  });
});

describe("abandon", () => {
  const until = async (what: string, holds: () => Promise<boolean>) => {
    for (let left = 250; !(await holds()); left--) {
      assert.ok(left > 0, `not within five seconds: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const untilCached = (node: Node, files: readonly string[]) =>
    until(files.join(" "), async () => isDeepStrictEqual(await node.cached(), files));

  it("gives a pod's network back once the plugins have done something for another pod", async () => {
    await using node = await Node.make({ cniVersion: "1.0.0", disableCheck: true });
    for (const id of ["gone", "other"]) await node.pods.attach(pod(id));
    await node.plugin("one", { DEL: failAnswer(100, "busy") });
    assert.match((await faultOf(node.pods.detach(pod("gone")))).message, /busy/);
    node.pods.abandon(pod("gone"));
    await faultOf(node.pods.detach(pod("other")));
    assert.deepEqual(await node.cached(), ["pods-gone-eth0", "pods-other-eth0"]);
    await node.plugin("one");
    await node.pods.detach(pod("other"));
    await untilCached(node, []);
  });

  it("keeps on while they fail", async () => {
    await using node = await Node.make({ cniVersion: "1.0.0", disableCheck: true });
    await node.pods.attach(pod("gone"));
    await node.plugin("one", { DEL: failAnswer(100, "busy") });
    node.pods.abandon(pod("gone"));
    await node.pods.attach(pod("other"));
    await until("tried again", async () => (await node.order()).includes("one DEL"));
    await node.plugin("one");
    await node.pods.attach(pod("third"));
    await untilCached(node, ["pods-other-eth0", "pods-third-eth0"]);
  });
});

describe("collectGarbage", () => {
  it("deletes what no pod owns, tells plugins what is valid, and leaves other tools' attachments alone", async () => {
    await using node = await Node.make({ cniVersion: "1.1.0", disableCheck: true });
    for (const id of ["kept", "stale"]) await node.pods.attach(pod(id));
    await foreignAttachment(node, "podman1");
    await node.start();
    await rm(join(node.root, "calls"), { recursive: true });
    await mkdir(join(node.root, "calls"));
    await node.pods.collectGarbage(() => [{ id: "kept" }, { id: "uncached" }]);
    assert.deepEqual(withoutStatus(await node.order()), ["two DEL", "one DEL", "one GC", "two GC"]);
    const calls = (await node.calls()).filter(({ command }) => command !== "STATUS");
    assert.deepEqual([calls[0]?.env.CNI_CONTAINERID, calls[0]?.env.CNI_NETNS], ["stale", "/run/netns/stale"]);
    assert.deepEqual(calls[2]?.config["cni.dev/valid-attachments"], [
      { containerID: "kept", ifname: "eth0" },
      { containerID: "podman1", ifname: "eth0" },
      { containerID: "uncached", ifname: "eth0" },
    ]);
    assert.deepEqual(await node.cached(), ["pods-kept-eth0", "pods-podman1-eth0"]);
  });

  it("never takes a pod of this daemon's life for garbage", async () => {
    await using node = await Node.make({ cniVersion: "1.0.0", disableCheck: true });
    await node.pods.attach(pod("new"));
    await node.pods.collectGarbage(() => []);
    assert.deepEqual(await node.cached(), ["pods-new-eth0"]);
    await node.pods.detach(pod("new"));
    assert.deepEqual(await node.cached(), []);
  });

  it("leaves a network alone that forbids it", async () => {
    await using node = await Node.make({ cniVersion: "1.1.0", disableGC: true, disableCheck: true });
    await node.pods.attach(pod("stale"));
    await node.start();
    await node.pods.collectGarbage(() => []);
    assert.deepEqual(await node.cached(), ["pods-stale-eth0"]);
  });

  it("waits for pods under way and keeps others out meanwhile", async () => {
    await using node = await Node.make({ cniVersion: "1.1.0", disableCheck: true });
    await node.plugin("one", { ADD: `sleep 0.3; ${addressAnswer("10.9.0.5/24")}`, GC: "sleep 0.3" });
    await Promise.all([node.pods.attach(pod("p1")), node.pods.collectGarbage(() => []), node.pods.attach(pod("p2"))]);
    const order = withoutStatus(await node.order());
    assert.deepEqual(order, ["one ADD", "two ADD", "one GC", "two GC", "one ADD", "two ADD"]);
  });

  it("tries everything and tells all that failed", async () => {
    await using node = await Node.make({ cniVersion: "1.1.0", disableCheck: true });
    for (const id of ["s1", "s2"]) await node.pods.attach(pod(id));
    await node.plugin("two", { DEL: failAnswer(100, "busy"), GC: failAnswer(100, "tired") });
    await node.start();
    const fault = await faultOf(node.pods.collectGarbage(() => []));
    assert.match(fault.message, /stale attachment s1 eth0: .*busy.*stale attachment s2 eth0: .*busy.*\(gc\): tired/);
  });
});

describe("status", () => {
  it("turns ready when a configuration and its plugins appear, and tells those who wait", async () => {
    await using node = await Node.make();
    await rename(join(node.confDir, "1.conflist"), join(node.root, "aside"));
    await rename(join(node.binDir, "two"), join(node.root, "two"));
    const networks = await node.start();
    const words = `no CNI configuration file in ${node.confDir}. Has your network provider started?`;
    assert.deepEqual(networks.status(), { is: "not-ready", why: words });
    const waiting = networks.whenReady(AbortSignal.timeout(10_000));
    await rename(join(node.root, "aside"), join(node.confDir, "1.conflist"));
    await rename(join(node.root, "two"), join(node.binDir, "two"));
    await waiting;
    assert.deepEqual(networks.status(), { is: "ready" });
    // Without a grace period it stays so, whatever happens.
    await rm(join(node.confDir, "1.conflist"));
    assert.deepEqual(networks.status(), { is: "ready" });
  });

  it("asks the plugins' STATUS since 1.1.0", async () => {
    await using node = await Node.make({ cniVersion: "1.1.0" });
    await node.plugin("two", { STATUS: `[ -e ${node.root}/agent ] || { ${failAnswer(50, "no agent")}; }` });
    const networks = await node.start();
    const status = networks.status();
    assert.ok(status.is === "not-ready");
    assert.match(status.why, /^plugin type="two" name="pods" failed \(status\): no agent \(code 50/);
    const waiting = networks.whenReady(AbortSignal.timeout(10_000));
    await writeFile(join(node.root, "agent"), "");
    await waiting;
  });

  it("ends those who wait when the daemon stops", async () => {
    await using node = await Node.make();
    await rm(join(node.confDir, "1.conflist"));
    const networks = await node.start();
    const waiting = faultOf(networks.whenReady());
    await networks.stop();
    assert.match((await waiting).message, /^server shutdown before CNI plugin was ready: no CNI configuration file/);
  });

  it("cannot start on a file, and makes directories that are missing", async () => {
    await using node = await Node.make();
    const confDir = join(node.root, "a", "b");
    await node.start({ confDir });
    await chmod(confDir, 0o755);
    await assert.rejects(node.start({ confDir: join(node.confDir, "1.conflist") }), /making directory .*1\.conflist/);
  });
});

function withoutStatus(order: readonly string[]): readonly string[] {
  return order.filter((call) => !call.endsWith("STATUS"));
}

/** What podman leaves in the cache that all runtimes of a machine share. */
async function foreignAttachment(node: Node, id: string, network = "pods", ifName = "eth0"): Promise<void> {
  const entry = {
    kind: "cniCacheV1",
    containerId: id,
    config: Buffer.from('{"name":"pods","cniVersion":"1.1.0","plugins":[{"type":"one"}]}').toString("base64"),
    ifName,
    networkName: network,
    result: { cniVersion: "1.1.0" },
  };
  await writeFile(join(node.cacheDir, "results", `${network}-${id}-${ifName}`), JSON.stringify(entry));
}
