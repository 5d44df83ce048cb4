/** Real nftables, iptables and conntrack: packets to ports of the host reach pods, by both ways. In namespaces of its own. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault, silentLogger } from "../../src/base/index.ts";
import { findProgram, runProgram } from "../../src/host/index.ts";
import { createHostPorts, type HostPortMapping, type HostPorts } from "../../src/network/index.ts";
import { nodeBinary } from "../support/paths.ts";
import { mustRun, run } from "../support/programs.ts";
import { isInside, reasonNotInside, runInside } from "./own-namespaces.ts";

if (isInside()) describeInside();
else {
  const reason = reasonNotInside("ip", "unshare", "nsenter", "nft", "iptables", "conntrack");
  describe("host ports", { skip: reason ?? false }, () => {
    it("work in a node of their own", () => runInside(import.meta.url));
  });
}

/** Host ports on a host where some programs are not to be found. */
function hostPortsWithout(...missing: readonly string[]): Promise<HostPorts> {
  const find = async (name: string) =>
    missing.some((start) => name.startsWith(start)) ? undefined : findProgram(name);
  return createHostPorts({ runner: { runProgram, findProgram: find }, log: silentLogger });
}

const tcp: HostPortMapping = { hostPort: 8081, containerPort: 8080, protocol: "TCP", hostIp: "" };

/** Answers every connection and datagram at port 8080 with its name and the peer's address. */
const server = `
const name = process.argv[1];
const plain = (address) => address.replace("::ffff:", "");
require("net").createServer((s) => s.on("error", () => {}).end(name + " " + plain(s.remoteAddress))).listen(8080, "::", () => {
  const u = require("dgram").createSocket("udp6");
  u.on("message", (_, peer) => u.send(name, peer.port, peer.address));
  u.bind(8080, "::", () => console.log("ready"));
});`;

/** Prints what the peer says within a second, or "nothing". */
const client = `
const [, host, port] = process.argv;
const end = (text) => { console.log(text); process.exit(); };
setTimeout(() => end("nothing"), 1000);
const s = require("net").connect({ host, port: Number(port) });
s.on("data", (data) => end(String(data))).on("error", () => end("nothing"));`;

/** Addresses of interfaces that are made from now on can be used at once, without a search for duplicates. */
const atOnce = "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad";

/** A host (these namespaces), and pods and a stranger, each with a pair of interfaces and both families of addresses. */
class World implements AsyncDisposable {
  readonly root: string;
  readonly #children: ChildProcess[] = [];
  #count = 0;

  constructor(root: string) {
    this.root = root;
  }

  static async make(): Promise<World> {
    await mustRun([
      "sh",
      "-ec",
      `cd /proc/sys/net; echo 1 >ipv4/ip_forward; echo 1 >ipv6/conf/all/forwarding; ${atOnce}`,
    ]);
    return new World(await mkdtemp(join(tmpdir(), "hostports-")));
  }

  /** A neighbour of the host at 10.50.N.2 and fd50:N::2; the host is at .1 and ::1. */
  async neighbour(name: string): Promise<Neighbour> {
    const n = ++this.#count;
    const netns = join(this.root, name);
    await writeFile(netns, "");
    await mustRun(["unshare", `--net=${netns}`, "ip", "link", "set", "lo", "up"]);
    // The pair is made inside, and the host's end sent out: `ip` knows a namespace without a name by a process only.
    const inside = `${atOnce}; ip link add h${n} type veth peer name eth0
      ip link set h${n} netns ${process.pid}
      ip addr add 10.50.${n}.2/24 dev eth0; ip addr add fd50:${n}::2/64 dev eth0 nodad; ip link set eth0 up`;
    await mustRun(["nsenter", `--net=${netns}`, "sh", "-ec", inside]);
    const outside = `ip addr add 10.50.${n}.1/24 dev h${n}; ip addr add fd50:${n}::1/64 dev h${n} nodad; ip link set h${n} up`;
    await mustRun(["sh", "-ec", outside]);
    const routes = `ip route add default via 10.50.${n}.1; ip route add default via fd50:${n}::1`;
    await mustRun(["nsenter", `--net=${netns}`, "sh", "-ec", routes]);
    return { netns, ip4: `10.50.${n}.2`, ip6: `fd50:${n}::2`, host4: `10.50.${n}.1`, host6: `fd50:${n}::1` };
  }

  async pod(name: string): Promise<Neighbour> {
    const pod = await this.neighbour(name);
    const child = spawn("nsenter", [`--net=${pod.netns}`, nodeBinary, "-e", server, name], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#children.push(child);
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    return pod;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    for (let n = 1; n <= this.#count; n++) await run(["ip", "link", "delete", `h${n}`]);
    await run(["sh", "-c", `umount -l ${this.root}/*`]);
    await rm(this.root, { recursive: true, force: true });
    await run(["nft", "flush", "ruleset"]);
  }
}

interface Neighbour {
  readonly netns: string;
  readonly ip4: string;
  readonly ip6: string;
  readonly host4: string;
  readonly host6: string;
}

/** What answers at an address and port: from the host, or from inside a neighbour. */
async function answerAt(host: string, port: number, from?: Neighbour): Promise<string> {
  const enter = from === undefined ? [] : ["nsenter", `--net=${from.netns}`];
  return (await mustRun([...enter, nodeBinary, "-e", client, host, String(port)])).stdout.trim();
}

/** What is left in the packet filters of pods' mappings. */
async function leftovers(): Promise<readonly string[]> {
  const nft = (await mustRun(["nft", "list", "ruleset"])).stdout;
  const elements = nft.match(/elements = \{[^}]*\}/g) ?? [];
  const chains: readonly string[] = nft.match(/chain (KUBE-HP-|CRIO-MASQ-)\w+/g) ?? [];
  return [...elements, ...chains, ...(nft.match(/jump (KUBE-HP-|CRIO-MASQ-)\w+/g) ?? [])];
}

function describeInside(): void {
  for (const [way, other] of [["nft", "ip"] as const, ["iptables", "nft"] as const]) {
    describe(`host ports by ${way === "nft" ? "nftables" : "iptables"}`, () => {
      for (const family of [4, 6] as const) {
        const [ip, host] = [`ip${family}`, `host${family}`] as const;

        it(`lead to a pod over IPv${family}: from the host, from outside, and from the pod itself`, async () => {
          await using world = await World.make();
          const [web, stranger] = [await world.pod("web"), await world.neighbour("stranger")];
          const ports = await hostPortsWithout(other);
          const pod = { id: "pod1", podName: "web", ip: web[ip], mappings: [tcp] };
          assert.equal(await answerAt(stranger[host], 8081, stranger), "nothing");
          await ports.add(pod);
          assert.equal(await answerAt(web[host], 8081), `web ${web[host]}`);
          assert.equal(await answerAt(stranger[host], 8081, stranger), `web ${stranger[ip]}`);
          assert.equal(await answerAt(web[host], 8081, web), `web ${web[host]}`);
          await ports.add(pod);
          await ports.remove(pod);
          assert.equal(await answerAt(stranger[host], 8081, stranger), "nothing");
          assert.deepEqual(await leftovers(), []);
          await ports.remove(pod);
        });

        it(`lead to a pod over IPv${family} from one address of the host only`, async () => {
          await using world = await World.make();
          const [web, all, stranger] = [
            await world.pod("web"),
            await world.pod("all"),
            await world.neighbour("stranger"),
          ];
          const ports = await hostPortsWithout(other);
          const one = { id: "pod1", podName: "web", ip: web[ip], mappings: [{ ...tcp, hostIp: stranger[host] }] };
          await ports.add(one);
          assert.equal(await answerAt(stranger[host], 8081, stranger), `web ${stranger[ip]}`);
          assert.equal(await answerAt(web[host], 8081, stranger), "nothing");
          if (way === "nft") {
            // A mapping for one address comes before the mapping for all.
            await ports.add({ id: "pod2", podName: "all", ip: all[ip], mappings: [tcp] });
            assert.equal(await answerAt(stranger[host], 8081, stranger), `web ${stranger[ip]}`);
            assert.equal(await answerAt(web[host], 8081, stranger), `all ${stranger[ip]}`);
            await ports.remove({ id: "pod2", mappings: [tcp] });
          }
          await ports.remove(one);
          assert.deepEqual(await leftovers(), []);
        });
      }

      it("do nothing for the other family", async () => {
        await using world = await World.make();
        const web = await world.pod("web");
        const ports = await hostPortsWithout(other);
        const mappings = [{ ...tcp, hostIp: "::" }];
        await ports.add({ id: "pod1", podName: "web", ip: web.ip4, mappings });
        assert.equal(await answerAt(web.host4, 8081), "nothing");
        assert.deepEqual(await leftovers(), []);
      });

      it("survive a pod's name that would be a rule", async () => {
        await using world = await World.make();
        const web = await world.pod("web");
        const ports = await hostPortsWithout(other);
        const podName = 'x"\n-A OUTPUT -j DROP\n';
        await ports.add({ id: "pod1", podName, ip: web.ip4, mappings: [tcp] });
        assert.equal(await answerAt(web.host4, 8081), `web ${web.host4}`);
        await ports.remove({ id: "pod1", mappings: [tcp] });
        assert.deepEqual(await leftovers(), []);
      });

      it("lead a peer that kept sending datagrams to the pod", async () => {
        await using world = await World.make();
        const [web, stranger] = [await world.pod("web"), await world.neighbour("stranger")];
        const ports = await hostPortsWithout(other);
        // The tracking of flows begins with the first rule that needs it.
        await ports.add({ id: "pod0", podName: "x", ip: web.ip4, mappings: [{ ...tcp, hostPort: 9 }] });
        const script = `const u = require("dgram").createSocket("udp4"); u.on("message", (m) => { console.log(String(m)); process.exit(); });
          setTimeout(process.exit, 10_000); u.on("error", () => {}); u.bind(5555, () => setInterval(() => u.send("x", 8081, "${stranger.host4}"), 50));`;
        const sender = spawn("nsenter", [`--net=${stranger.netns}`, nodeBinary, "-e", script], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        const answer = new Promise<string>((resolve) =>
          sender.stdout.once("data", (data) => resolve(String(data).trim())),
        );
        try {
          await untilTrue(
            async () => (await mustRun(["conntrack", "-L", "-p", "udp", "--orig-port-dst", "8081"])).stdout !== "",
          );
          await ports.add({ id: "pod1", podName: "web", ip: web.ip4, mappings: [{ ...tcp, protocol: "UDP" }] });
          assert.equal(await answer, "web");
        } finally {
          sender.kill("SIGKILL");
        }
      });

      it("of pods that are gone are removed at the start, the others are kept", async () => {
        await using world = await World.make();
        const web = await world.pod("web");
        const ports = await hostPortsWithout(other);
        const [kept, gone] = [tcp, { ...tcp, hostPort: 8082 }];
        for (const [id, mapping] of [
          ["kept", kept],
          ["gone", gone],
        ] as const) {
          await ports.add({ id, podName: id, ip: web.ip4, mappings: [mapping] });
        }
        await ports.keepOnly([{ id: "kept", mappings: [kept] }]);
        assert.equal(await answerAt(web.host4, 8082), "nothing");
        assert.equal(await answerAt(web.host4, 8081), `web ${web.host4}`);
        await ports.keepOnly([]);
        assert.deepEqual(await leftovers(), []);
      });

      it("refuse mappings that are none", async () => {
        const ports = await hostPortsWithout(other);
        const bad = { ...tcp, hostPort: 70_000 };
        await assert.rejects(ports.add({ id: "p", podName: "p", ip: "10.0.0.2", mappings: [bad] }), (e) =>
          isFault(e, "invalid"),
        );
        await ports.remove({ id: "p", mappings: [bad] });
        assert.deepEqual(await leftovers(), []);
      });
    });
  }

  describe("host ports", () => {
    it("say that another pod has the port (nftables)", async () => {
      await using _world = await World.make();
      const ports = await hostPortsWithout();
      await ports.add({ id: "pod1", podName: "a", ip: "10.50.9.2", mappings: [tcp] });
      const second = ports.add({
        id: "pod2",
        podName: "b",
        ip: "10.50.9.3",
        mappings: [tcp, { ...tcp, hostPort: 8082 }],
      });
      await assert.rejects(
        second,
        (e) => isFault(e, "exists") && /another pod has host port 8081\/tcp/.test(e.message),
      );
      await ports.remove({ id: "pod1", mappings: [tcp] });
      assert.deepEqual(await leftovers(), []);
    });

    it("are removed wherever an earlier start has put them", async () => {
      await using world = await World.make();
      const web = await world.pod("web");
      const mappings = [tcp];
      await (await hostPortsWithout("nft")).add({ id: "pod1", podName: "web", ip: web.ip4, mappings });
      assert.equal(await answerAt(web.host4, 8081), `web ${web.host4}`);
      await (await hostPortsWithout()).remove({ id: "pod1", mappings });
      assert.equal(await answerAt(web.host4, 8081), "nothing");
      assert.deepEqual(await leftovers(), []);
    });

    it("take a table that CRI-O made, whose elements they find", async () => {
      await using world = await World.make();
      const web = await world.pod("web");
      // As CRI-O comments the elements of a sandbox "pod1": its SHA-256 in base32, first sixteen characters.
      const comment = "L2TBRKBNHDCLTUBS";
      const script = `add table ip crio-hostports { comment "HostPort rules created by CRI-O" ; }
add map ip crio-hostports hostports { type inet_proto . inet_service : ipv4_addr . inet_service ; comment "hostports on all local IPs (protocol . hostPort -> podIP . podPort)" ; }
add element ip crio-hostports hostports { tcp . 8081 comment "${comment}" : ${web.ip4} . 8080 }
`;
      await mustRun(["nft", "-f", "-"], { input: script });
      const ports = await hostPortsWithout();
      await ports.add({ id: "pod2", podName: "b", ip: web.ip4, mappings: [{ ...tcp, hostPort: 8082 }] });
      assert.equal(await answerAt(web.host4, 8081), `web ${web.host4}`);
      await ports.remove({ id: "pod1", mappings: [tcp] });
      assert.equal(await answerAt(web.host4, 8081), "nothing");
      assert.equal(await answerAt(web.host4, 8082), `web ${web.host4}`);
    });

    it("cannot be made where there is neither", async () => {
      await assert.rejects(
        hostPortsWithout("nft", "iptables"),
        (e) =>
          isFault(e, "unavailable") &&
          e.message ===
            `can't create HostPortManager: no support for iptables (could not find "iptables" in PATH) or nftables (could not find "nft" in PATH)`,
      );
      const without6 = await hostPortsWithout("nft", "ip6tables");
      const mapping = { id: "p", podName: "p", ip: "fd00::2", mappings: [tcp] };
      await assert.rejects(without6.add(mapping), (e) => isFault(e, "precondition"));
      await without6.remove(mapping);
    });
  });
}

async function untilTrue(check: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + 10_000;
  while (!(await check())) assert.ok(performance.now() < until, "it never came true");
}
