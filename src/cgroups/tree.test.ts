import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { mkdir, mkdtemp, open, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { fakeHost } from "./fake-host.ts";
import { killAll } from "./kill.ts";
import { makeCgroup } from "./make.ts";
import { moveProcess } from "./move.ts";
import { parseCgroupPath, rootCgroup } from "./path.ts";
import { parsePids, processesIn } from "./processes.ts";
import { removeTree } from "./remove.ts";
import { visitTree } from "./walk.ts";

const path = parseCgroupPath("/pod1/crio-1");
const never = new AbortController().signal;

describe("a tree of cgroups", () => {
  it("is visited children first", async () => {
    await using fake = await fakeHost(2, { "unified/a/b/c/f": "", "unified/a/d/f": "" });
    const seen: string[] = [];
    const root = join(fake.directory, "unified/a");
    await visitTree(root, async (directory) => void seen.push(directory.slice(root.length)), never);
    assert.deepEqual(seen.toSorted().join(), ",/b,/b/c,/d");
    assert.ok(seen.indexOf("/b/c") < seen.indexOf("/b"));
    assert.equal(seen.at(-1), "");
  });

  it("is removed even when it is deeper than a path can be long", async () => {
    const directory = await mkdtemp(join(tmpdir(), "deep-"));
    const name = "x".repeat(200);
    let at = await open(directory);
    for (let depth = 0; depth < 60; depth++) {
      mkdirSync(`/proc/self/fd/${at.fd}/${name}`);
      const next = await open(`/proc/self/fd/${at.fd}/${name}`);
      await at.close();
      at = next;
    }
    await at.close();
    await visitTree(directory, (one) => rmdir(one), never);
    assert.equal(existsSync(directory), false);
  });

  it("that is not there has nothing to visit, remove, list or kill", async () => {
    await using fake = await fakeHost(2);
    await visitTree("/nonexistent/cgroup", () => assert.fail(), never);
    await removeTree(fake.host, path);
    await killAll(fake.host, path);
    assert.deepEqual(await processesIn(fake.host, path), []);
  });

  it("is left when the caller leaves", async () => {
    await using fake = await fakeHost(2, { "unified/pod1/crio-1/f": "" });
    const reason = new Error("left");
    const gone = removeTree(fake.host, path, { signal: AbortSignal.abort(reason) });
    await assert.rejects(gone, (error) => error === reason);
  });

  it("is not removed or killed when it is the root", async () => {
    await using fake = await fakeHost(2);
    await assert.rejects(removeTree(fake.host, rootCgroup), (error) => isFault(error, "invalid"));
    await assert.rejects(killAll(fake.host, rootCgroup), (error) => isFault(error, "invalid"));
  });
});

describe("the processes of a cgroup", () => {
  it("are those of the cgroup and below, of every hierarchy, each once", async () => {
    await using fake = await fakeHost(1, {
      "memory/pod1/crio-1/cgroup.procs": "20\n10\n",
      "memory/pod1/crio-1/child/cgroup.procs": "30\n",
      "pids/pod1/crio-1/cgroup.procs": "10\n40\n",
    });
    assert.deepEqual(await processesIn(fake.host, path), [10, 20, 30, 40]);
  });

  it("never contain 0, which kill would take for ourselves", () => {
    assert.deepEqual(parsePids("0\n12\n-1\n 3\n12345678901\nx\n"), [12]);
  });

  it("are not killed when we are among them", async () => {
    await using fake = await fakeHost(2, { "unified/pod1/crio-1/cgroup.procs": `${process.pid}\n` });
    await assert.rejects(killAll(fake.host, path), (error) => isFault(error, "precondition"));
  });
});

describe("making a cgroup", () => {
  it("fills the cpusets of v1 from above, keeping those that are set", async () => {
    await using fake = await fakeHost(1, {
      "cpuset/cpuset.cpus": "0-3\n",
      "cpuset/cpuset.mems": "0\n",
      "cpuset/pod1/cpuset.cpus": "\n",
      "cpuset/pod1/cpuset.mems": "0\n",
      "cpuset/pod1/crio-1/cpuset.cpus": "2\n",
      "cpuset/pod1/crio-1/cpuset.mems": "",
    });
    await makeCgroup(fake.host, path);
    const read = async (file: string) => (await readFile(join(fake.directory, "cpuset", file), "utf8")).trim();
    assert.equal(await read("pod1/cpuset.cpus"), "0-3");
    assert.equal(await read("pod1/crio-1/cpuset.cpus"), "2");
    assert.equal(await read("pod1/crio-1/cpuset.mems"), "0");
    assert.ok(existsSync(join(fake.directory, "memory/pod1/crio-1")));
  });

  it("enables on v2 only what is asked for, available and not enabled yet", async () => {
    await using fake = await fakeHost(2, {
      "unified/cgroup.controllers": "cpu memory\n",
      "unified/cgroup.subtree_control": "",
      "unified/pod1/cgroup.controllers": "cpu memory\n",
      "unified/pod1/cgroup.subtree_control": "cpu\n",
    });
    await makeCgroup(fake.host, path, ["cpu", "cpuset"]);
    const read = (file: string) => readFile(join(fake.directory, "unified", file, "cgroup.subtree_control"), "utf8");
    assert.equal(await read("."), "+cpu");
    assert.equal(await read("pod1"), "cpu\n");
  });
});

describe("moving a process", () => {
  it("writes its pid in every hierarchy that has the cgroup, and says when none has", async () => {
    await using fake = await fakeHost(1);
    await assert.rejects(moveProcess(fake.host, 42, path), (error) => isFault(error, "not-found"));
    for (const name of ["cpu", "memory"]) {
      await mkdir(join(fake.directory, name, path), { recursive: true });
      await writeFile(join(fake.directory, name, path, "cgroup.procs"), "");
    }
    await moveProcess(fake.host, 42, path);
    assert.equal(await readFile(join(fake.directory, "memory", path, "cgroup.procs"), "utf8"), "42");
    await assert.rejects(moveProcess(fake.host, 0, path), (error) => isFault(error, "invalid"));
    await rm(join(fake.directory, "cpu"), { recursive: true });
  });
});
