import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Attachment } from "./attachment.ts";
import { ResultCache } from "./cache.ts";
import { networkOfEntry, podNetworkOf, resultOfEntry } from "./cached-network.ts";
import { parseNetworkList } from "./config.ts";
import { resultOf } from "./result.ts";

const id = "0123abcd".repeat(8);
const list = { cniVersion: "0.4.0", name: "pods", plugins: [{ type: "bridge" }, { type: "portmap" }] };
const network = parseNetworkList(Buffer.from(JSON.stringify(list)), "a.conflist");
const attachment: Attachment = {
  containerId: id,
  netns: "/run/netns/a",
  ifName: "eth0",
  args: [
    ["IgnoreUnknown", "1"],
    ["K8S_POD_NAME", "web"],
  ],
  capabilityArgs: { bandwidth: { ingressRate: 5 } },
};
const result = resultOf({ cniVersion: "0.4.0", ips: [{ version: "4", address: "10.9.0.5/24" }] }, "0.4.0");

class Place implements AsyncDisposable {
  readonly root: string;
  readonly cache: ResultCache;
  readonly results: string;
  constructor(root: string) {
    this.root = root;
    this.results = join(root, "results");
    this.cache = new ResultCache(root);
  }
  static async make(): Promise<Place> {
    return new Place(await mkdtemp(join(tmpdir(), "cni-cache-")));
  }
  async write(file: string, text: string): Promise<void> {
    await mkdir(this.results, { recursive: true });
    await writeFile(join(this.results, file), text);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

describe("ResultCache", () => {
  it("removes what a daemon that was killed was writing", async () => {
    await using place = await Place.make();
    await place.write(`.tmp-${2 ** 31 - 1}-0123456789abcdef`, "{");
    await place.write("kept", "{}");
    await place.cache.recover();
    assert.deepEqual(await readdir(place.results), ["kept"]);
  });

  it("writes what libcni writes, for root only", async () => {
    await using place = await Place.make();
    await place.cache.put(network, attachment, result);
    const file = join(place.results, `pods-${id}-eth0`);
    assert.deepEqual(JSON.parse(await readFile(file, "utf8")), {
      kind: "cniCacheV1",
      containerId: id,
      config: Buffer.from(JSON.stringify(list)).toString("base64"),
      ifName: "eth0",
      networkName: "pods",
      netns: "/run/netns/a",
      cniArgs: [
        ["IgnoreUnknown", "1"],
        ["K8S_POD_NAME", "web"],
      ],
      capabilityArgs: { bandwidth: { ingressRate: 5 } },
      result: result.json,
    });
    assert.equal((await stat(file)).mode & 0o7777, 0o600);
    assert.equal((await stat(place.results)).mode & 0o7777, 0o700);
    assert.deepEqual(await readdir(place.results), [`pods-${id}-eth0`]);
  });

  it("reads back what it wrote", async () => {
    await using place = await Place.make();
    await place.cache.put(network, attachment, result);
    const [entry] = await place.cache.entriesOf(id);
    assert.ok(entry?.is === "readable");
    assert.deepEqual(entry.attachment, attachment);
    const read = networkOfEntry(entry);
    assert.deepEqual([read.name, read.cniVersion, read.plugins.length], ["pods", "0.4.0", 2]);
    const told = resultOfEntry(entry, read);
    assert.deepEqual(told, { result });
    assert.deepEqual(podNetworkOf("pods", "eth0", result).currentResult, {
      cniVersion: "1.1.0",
      ips: [{ address: "10.9.0.5/24" }],
    });
  });

  it("reads what CRI-O left: keys in any order, no netns, a single plugin's configuration", async () => {
    await using place = await Place.make();
    const entry = {
      result: { ip4: { ip: "10.9.0.7/24" } },
      networkName: "old-net",
      ifName: "eth0",
      config: Buffer.from('{"name":"old-net","type":"bridge","cniVersion":"0.2.0"}').toString("base64"),
      containerId: id,
      kind: "cniCacheV1",
    };
    await place.write(`old-net-${id}-eth0`, JSON.stringify(entry));
    const [read] = await place.cache.entriesOf(id);
    assert.ok(read?.is === "readable");
    assert.equal(read.attachment.netns, undefined);
    const old = networkOfEntry(read);
    assert.deepEqual([old.cniVersion, old.plugins[0]?.type], ["0.2.0", "bridge"]);
    assert.equal(resultOfEntry(read, old).result?.version, "0.2.0");
  });

  it("finds the attachments of one pod only, in the order of their names", async () => {
    await using place = await Place.make();
    for (const name of ["zeta", "alpha-2"]) await place.cache.put({ ...network, name }, attachment, result);
    await place.cache.put(network, { ...attachment, containerId: "other" }, result);
    await place.write(".tmp-1234", "{}");
    const names = (await place.cache.entriesOf(id)).map((entry) => entry.network);
    assert.deepEqual(names, ["alpha-2", "zeta"]);
    assert.deepEqual(await place.cache.entriesOf("nobody"), []);
    assert.deepEqual(await place.cache.entriesOf("../x"), []);
  });

  it("says of a damaged file what its name tells", async () => {
    await using place = await Place.make();
    const good = { kind: "cniCacheV1", containerId: id, networkName: "n", ifName: "eth0" };
    const bad: readonly string[] = [
      "",
      "{",
      '{"kind":"cniCacheV2"}',
      JSON.stringify({ ...good, cniArgs: [["K8S_POD_NAME", "a;IgnoreUnknown=0"]] }),
      JSON.stringify({ ...good, cniArgs: ["a"] }),
      JSON.stringify({ ...good, networkName: "../../etc/x" }),
      JSON.stringify({ ...good, containerId: "other" }),
      JSON.stringify({ ...good, result: [] }),
      JSON.stringify({ ...good, capabilityArgs: 5 }),
    ];
    for (const text of bad) {
      await place.write(`n-${id}-eth0`, text);
      const [entry, ...more] = await place.cache.entriesOf(id);
      assert.equal(more.length, 0);
      assert.ok(entry?.is === "unreadable", text);
      assert.deepEqual([entry.network, entry.containerId, entry.ifName], ["n", id, "eth0"]);
    }
  });

  it("forgets one attachment, or all of a pod", async () => {
    await using place = await Place.make();
    await place.cache.forget(id);
    for (const name of ["a", "b", "c"]) await place.cache.put({ ...network, name }, attachment, result);
    await place.write(`d-${id}-eth0`, "damaged");
    await place.write(`d-${id}0-eth0`, "of another");
    const [first] = await place.cache.entriesOf(id);
    if (first !== undefined) await place.cache.delete(first);
    if (first !== undefined) await place.cache.delete(first);
    assert.equal((await place.cache.entriesOf(id)).length, 3);
    await place.cache.forget(id);
    assert.deepEqual(await readdir(place.results), [`d-${id}0-eth0`]);
  });

  it("names the file that cannot be written", async () => {
    await using place = await Place.make();
    await writeFile(join(place.root, "results"), "a file");
    await assert.rejects(place.cache.put(network, attachment, result), /writing the CNI result .*pods-0123/);
    await chmod(place.root, 0o700);
  });
});
