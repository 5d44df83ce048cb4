import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { isFault } from "../base/index.ts";
import { mountEntryOf } from "./mount-table.ts";
import { checkNamespacePlan, type NamespacePlan } from "./namespace-plan.ts";
import { NamespaceWorker, unpinNamespace } from "./namespaces.ts";
import { runProgramOk } from "./run-program.ts";
import { sysctlComponents, sysctlOwner } from "./sysctl.ts";
import { enterPrivateMounts } from "./testing/private-mounts.ts";

// First of all: threads that exist already would stay in the machine's mount namespace.
const { dir, leave } = enterPrivateMounts();
after(leave);

const timeoutMs = 20_000;
const faulted = (code: Parameters<typeof isFault>[1], pattern: RegExp) => (error: unknown) => {
  assert.ok(isFault(error, code), `expected a Fault(${code}), got ${error}`);
  assert.match(error.message, pattern);
  return true;
};

/** Runs a shell command in pinned namespaces. */
async function inside(pins: Readonly<Record<string, string>>, command: string): Promise<string> {
  const args = Object.entries(pins).map(([kind, path]) => `--${kind}=${path}`);
  const { stdout } = await runProgramOk("/usr/bin/nsenter", [...args, "/bin/sh", "-c", command], { timeoutMs });
  return stdout.toString().trim();
}

const pinsIn = (name: string) => ({
  net: join(dir, name, "netns"),
  ipc: join(dir, name, "ipcns"),
  uts: join(dir, name, "utsns"),
});

/** The namespaces of every thread of this process. */
function allThreads(): readonly string[] {
  const tasks = readdirSync("/proc/self/task");
  const links = tasks.flatMap((task) =>
    ["net", "ipc", "uts", "user"].map((kind) => readlinkSync(`/proc/self/task/${task}/ns/${kind}`)),
  );
  return [...new Set(links)].sort();
}

describe("NamespaceWorker", () => {
  let worker: NamespaceWorker;
  let home: readonly string[];
  before(async () => {
    home = allThreads();
    worker = await NamespaceWorker.start();
  });
  after(() => worker.stop());

  it("makes, configures and pins namespaces, and comes back", async () => {
    const pins = pinsIn("full");
    await worker.create({
      pins,
      hostname: "a-pod",
      sysctls: [
        ["net.ipv4.ip_unprivileged_port_start", "81"],
        ["net/ipv4/ping_group_range", "0 5"],
        ["kernel.shm_rmid_forced", "1"],
        ["kernel.msgmax", "12345"],
        ["fs.mqueue.msg_max", "11"],
      ],
    });
    assert.equal(await inside({ uts: pins.uts }, "hostname"), "a-pod");
    const values = await inside(
      { net: pins.net, ipc: pins.ipc },
      "cd /proc/sys; cat net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range kernel/shm_rmid_forced kernel/msgmax fs/mqueue/msg_max",
    );
    assert.deepEqual(values.split(/\s+/), ["81", "0", "5", "1", "12345", "11"]);
    assert.equal((await mountEntryOf(pins.net))?.fsType, "nsfs");
    assert.deepEqual(allThreads(), home);
    assert.notEqual(readFileSync("/proc/sys/kernel/hostname", "utf8").trim(), "a-pod");
    for (const pin of Object.values(pins)) await unpinNamespace(pin);
    assert.deepEqual(readdirSync(join(dir, "full")), []);
  });

  it("brings lo up and counts what goes through", async () => {
    const { net } = pinsIn("counters");
    await worker.create({ pins: { net }, sysctls: [] });
    const [before, ...none] = await worker.inNetns(net, "interfaces");
    assert.deepEqual(none, []);
    assert.equal(before?.name, "lo");
    assert.equal(before.index, 1);
    await inside({ net }, "ping -c 1 127.0.0.1 || echo x > /dev/udp/127.0.0.1/9 || true").catch(() => "");
    await inside({ net }, "/usr/bin/python3 -c \"import socket; socket.socket(2,2).sendto(b'x'*100,('127.0.0.1',9))\"");
    const [counted] = await worker.inNetns(net, "interfaces");
    assert.ok((counted?.rxBytes ?? 0n) >= 100n);
    assert.ok((counted?.txPackets ?? 0n) >= 1n);
    assert.deepEqual(allThreads(), home);
    await unpinNamespace(net);
  });

  it("lets 60 pods come at once and keeps every thread at home", async () => {
    const all = Array.from({ length: 60 }, (_, index) => pinsIn(`many-${index}`));
    const reads = Array.from({ length: 50 }, () => readFile("/proc/self/stat")); // keeps the pool busy meanwhile
    await Promise.all(all.map((pins) => worker.create({ pins, hostname: "x", sysctls: [] })));
    await Promise.all(reads);
    assert.deepEqual(allThreads(), home);
    const links = await Promise.all(all.map((pins) => inside({ net: pins.net }, "readlink /proc/self/ns/net")));
    assert.equal(new Set(links).size, 60);
    for (const pins of all) for (const pin of Object.values(pins)) await unpinNamespace(pin);
  });

  it("makes a user namespace that owns the others", async () => {
    const pins = { ...pinsIn("user"), user: join(dir, "user", "userns") };
    const mappings = [{ containerId: 0, hostId: 200_000, size: 65_536 }];
    await worker.create({
      pins,
      hostname: "mapped",
      sysctls: [
        ["net.ipv4.ip_unprivileged_port_start", "0"],
        ["kernel.shm_rmid_forced", "1"],
      ],
      uidMappings: mappings,
      gidMappings: [...mappings, { containerId: 70_000, hostId: 300_000, size: 1 }],
    });
    const seen = await inside(
      pins,
      "hostname; cat /proc/self/uid_map /proc/self/gid_map /proc/sys/kernel/shm_rmid_forced",
    );
    assert.deepEqual(seen.split(/\s+/), "mapped 0 200000 65536 0 200000 65536 70000 300000 1 1".split(" "));
    // Inside the user namespace, root may configure the network: it is theirs.
    await inside(pins, "/sbin/ip link set lo down && /sbin/ip link set lo up");
    assert.deepEqual(allThreads(), home);
    for (const pin of Object.values(pins)) await unpinNamespace(pin);
  });

  it("leaves nothing behind when a sysctl or a pin is refused", async () => {
    const pins = pinsIn("refused");
    const create = (sysctl: [string, string], more: Partial<NamespacePlan> = {}) =>
      worker.create({ pins, sysctls: [sysctl], ...more });
    await assert.rejects(
      create(["net.ipv4.no_such_thing", "1"]),
      faulted("invalid", /no_such_thing=1.*no such sysctl/),
    );
    await assert.rejects(create(["net.ipv4.ip_forward", "many"]), faulted("invalid", /ip_forward=many: .*EINVAL/));
    assert.equal(existsSync(join(dir, "refused")), false);
    mkdirSync(join(dir, "refused"));
    writeFileSync(pins.uts, "in the way");
    await assert.rejects(create(["net.ipv4.ip_forward", "1"]), faulted("exists", /utsns/));
    assert.deepEqual(readdirSync(join(dir, "refused")), ["utsns"]);
    assert.equal(readFileSync(pins.uts, "utf8"), "in the way");
    const user = join(dir, "refused", "userns");
    const map = [{ containerId: 0, hostId: 4_294_967_290, size: 5 }];
    const mapped = { pins: { user, net: pins.net }, uidMappings: map, gidMappings: map };
    await assert.rejects(create(["net.ipv4.ip_forward", "many"], mapped), faulted("invalid", /EINVAL/));
    assert.deepEqual(readdirSync(join(dir, "refused")), ["utsns"]);
    assert.deepEqual(allThreads(), home);
  });

  it("pins the host's own namespaces", async () => {
    const net = join(dir, "host", "netns");
    await worker.pinHost({ pins: { net } });
    assert.equal(await inside({ net }, "readlink /proc/self/ns/net"), readlinkSync("/proc/self/ns/net"));
    await unpinNamespace(net);
  });

  it("says what is wrong with a path that is no network namespace", async () => {
    const file = join(dir, "no-namespace");
    closeSync(openSync(file, "w"));
    await assert.rejects(worker.inNetns(file, "interfaces"), faulted("failed", /no-namespace.*EINVAL/));
    await assert.rejects(worker.inNetns(join(dir, "nothing"), "interfaces"), faulted("failed", /nothing.*ENOENT/));
    assert.deepEqual(allThreads(), home);
  });

  it("removes what was made for a caller who has left", async () => {
    const pins = pinsIn("late");
    const controller = new AbortController();
    const creating = worker.create({ pins, sysctls: [] }, { signal: controller.signal });
    controller.abort(new Error("the client hung up"));
    await assert.rejects(creating, faulted("cancelled", /hung up/));
    await worker.pinHost({ pins: { net: join(dir, "after", "netns") } }); // comes after it in the queue
    assert.deepEqual(existsSync(join(dir, "late")) ? readdirSync(join(dir, "late")) : [], []);
    await unpinNamespace(join(dir, "after", "netns"));
  });

  it("closes the socket that was made for a caller who has left", async () => {
    const { net } = pinsIn("forwarded");
    await worker.create({ pins: { net }, sysctls: [] });
    const before = readdirSync("/proc/self/fd").length;
    const controller = new AbortController();
    const connecting = worker.connectLocalhost(net, 1, { signal: controller.signal });
    controller.abort(new Error("the client hung up"));
    await assert.rejects(connecting, /hung up/);
    await assert.rejects(worker.connectLocalhost(net, 1), /ECONNREFUSED/); // comes after it in the queue
    assert.equal(readdirSync("/proc/self/fd").length, before);
    await unpinNamespace(net);
  });

  it("is idempotent in taking pins away", async () => {
    await unpinNamespace(join(dir, "never", "was"));
    const { net } = pinsIn("twice");
    await worker.create({ pins: { net }, sysctls: [] });
    await unpinNamespace(net);
    await unpinNamespace(net);
    assert.equal(existsSync(net), false);
  });
});

describe("a thread that cannot come back", () => {
  it("takes back what it pinned, and says so", async () => {
    const net = join(dir, "homeless", "netns");
    const thread = new Worker(new URL("./testing/homeless-thread.ts", import.meta.url), { workerData: net });
    const said = await new Promise((resolve, reject) => thread.once("message", resolve).once("error", reject));
    assert.match(String(said), /^Homeless: returning to the host's namespaces: setns: EBADF/);
    assert.deepEqual(readdirSync(join(dir, "homeless")), []);
    await thread.terminate();
  });
});

describe("a plan for namespaces", () => {
  const pins = { net: "/n", ipc: "/i", uts: "/u" };
  const map = [{ containerId: 0, hostId: 1, size: 1 }];
  const refused = (plan: Partial<NamespacePlan>, pattern: RegExp) =>
    assert.throws(() => checkNamespacePlan({ pins, sysctls: [], ...plan }), faulted("invalid", pattern));

  it("must not reach the host", () => {
    refused({ sysctls: [["kernel.core_pattern", "|/bin/sh"]] }, /would change the machine/);
    refused({ sysctls: [["vm.overcommit_memory", "1"]] }, /would change the machine/);
    refused({ pins: { ipc: "/i" }, sysctls: [["net.ipv4.ip_forward", "1"]] }, /needs a new net namespace/);
    refused({ pins: { net: "/n" }, sysctls: [["kernel.shmmax", "1"]] }, /needs a new ipc namespace/);
    refused({ pins: { net: "/n" }, hostname: "x" }, /would rename the machine/);
    refused({ sysctls: [["net/../kernel/core_pattern", "x"]] }, /not the name of a sysctl/);
    refused({ sysctls: [["net.//.kernel", "x"]] }, /not the name of a sysctl/);
    refused({ sysctls: [["net.ipv4.ip_forward", "1\n2"]] }, /one line/);
  });

  it("must make sense", () => {
    refused({ pins: {} }, /none is asked for/);
    refused({ hostname: "a b" }, /not a hostname/);
    refused({ hostname: "x".repeat(65) }, /not a hostname/);
    refused({ uidMappings: map, gidMappings: map }, /without a user namespace/);
    refused({ pins: { user: "/x" }, uidMappings: map }, /needs uid and gid mappings/);
    const far = [{ containerId: 0, hostId: 2 ** 32 - 2, size: 5 }];
    refused({ pins: { user: "/x" }, uidMappings: far, gidMappings: map }, /out of range/);
  });
});

describe("sysctl names", () => {
  it("are read as sysctl(8) does", () => {
    assert.deepEqual(sysctlComponents("net.ipv4.conf.eth0/100.forwarding"), [
      "net",
      "ipv4",
      "conf",
      "eth0.100",
      "forwarding",
    ]);
    assert.deepEqual(sysctlComponents("net/ipv4/conf/eth0.100/forwarding"), [
      "net",
      "ipv4",
      "conf",
      "eth0.100",
      "forwarding",
    ]);
    for (const bad of ["", "net", ".net.a", "net..a", "net/a/", "/proc", "net.a b", "net.a\0", "net.a/..", "a/./b"]) {
      assert.throws(() => sysctlComponents(bad), faulted("invalid", /not the name/), bad);
    }
  });

  it("belong to a namespace or to the machine", () => {
    const owner = (name: string) => sysctlOwner(sysctlComponents(name));
    assert.equal(owner("net.core.somaxconn"), "net");
    assert.equal(owner("fs.mqueue.msg_max"), "ipc");
    assert.equal(owner("kernel.sem"), "ipc");
    assert.equal(owner("kernel.domainname"), "uts");
    for (const name of ["kernel.hostname", "fs.file-max", "vm.swappiness", "kernel.shm/x.y"])
      assert.equal(owner(name), undefined);
  });
});
