/** Layers that try to reach beyond their own directory, or never to end (attack class 9). */
import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { llistxattr } from "../../../src/host/index.ts";
import {
  paxBody,
  type TestEntry,
  tarMembers,
  tarOf,
  withChecksum,
} from "../../../src/storage/unpack/tar-writer.test-support.ts";
import { CriError } from "../../support/daemon/cri.ts";
import { busyboxLayer, digestOf, installedBusybox, writeTar } from "../../support/fixtures/index.ts";
import { guardHost, type HostGuard } from "../bad-input/host-guard.ts";
import { pushRaw } from "../bad-input/push.ts";
import { goodContainer, hostNetworkPod, type Scene, withContainer, withPod } from "../bad-input/scene.ts";
import { fails, graphRoot, leavesStoreAsItWas } from "./pulling.ts";

const file = (name: string, content = "x"): TestEntry => ({ name, content });
const folder = (name: string): TestEntry => ({ name: `${name}/`, type: "5", mode: 0o755 });
const symlink = (name: string, link: string): TestEntry => ({ name, type: "2", link });
const hardlink = (name: string, link: string): TestEntry => ({ name, type: "1", link });
const device = (name: string, type: "3" | "4", numbers: readonly [number, number]): TestEntry => ({
  name,
  type,
  device: numbers,
});

/** Archives that no tool should take, and the words for them. */
const refused: readonly (readonly [what: string, archive: Buffer, words: RegExp])[] = [
  ...["../evil", "../../../../etc/cron.d/evil", "a/../../evil", "./../evil", "a/b/../../../evil"].map(
    (name) => [`a file at ${name}`, tarOf(file(name)), /leads out of the layer/] as const,
  ),
  ["a directory above", tarOf(folder("../up")), /leads out of the layer/],
  ["a whiteout above", tarOf(file("../.wh.etc", "")), /leads out of the layer/],
  ["a whiteout of ..", tarOf(file(".wh...", "")), /\.wh\.\.\./],
  ["a whiteout of .", tarOf(file("a/.wh..", "")), /\.wh\.\./],
  ["a whiteout of nothing", tarOf(file(".wh.", "")), /\.wh\./],
  ["a hard link out of the root", tarOf(hardlink("shadow", "../../../etc/shadow")), /shadow/],
  ["a hard link to what the layer has not", tarOf(hardlink("shadow", "/etc/shadow")), /shadow/],
  ["a hard link through a link", tarOf(symlink("out", "/proc/1/root/etc"), hardlink("shadow", "out/shadow")), /shadow/],
  ["a file through a link that leads nowhere", tarOf(symlink("out", "/run/bad-input"), file("out/evil")), /out/],
  ["a sparse file", tarOf({ name: "sparse", type: "S", content: Buffer.alloc(512), size: 512 }), /sparse/],
  [
    "a PAX header of 2 MiB",
    tarOf({ name: "pax", type: "x", content: paxBody({ path: "x".repeat(2 << 20) }) }, file("a")),
    /header/i,
  ],
  ["a name of 10000 characters", tarOf({ name: "long", pax: { path: "n".repeat(10_000) } }), /character|name/i],
  ["a file larger than what follows", tarMembers({ name: "short", content: "x", size: 1 << 30 }), /short|end/i],
  [
    "a header with a wrong checksum",
    Buffer.concat([Buffer.alloc(512, 7), Buffer.alloc(1024)]),
    /header|checksum|archive/i,
  ],
  ["an archive cut off in a header", tarOf(file("a")).subarray(0, 300), /end|archive|header/i],
  ["a size that is no number", spoilSize(tarOf(file("a"))), /size|number|header/i],
];

/** Archives that are taken, and do no harm where they are. */
const confined: readonly (readonly [what: string, archive: Buffer])[] = [
  ["absolute names", tarOf(folder("/etc"), file("/etc/evil"), file("//run/bad-input/evil"), file("/../../etc/evil2"))],
  ["files through links into the layer", tarOf(folder("etc"), symlink("out", "/etc"), file("out/evil"))],
  ["a directory in place of a link", tarOf(folder("etc"), symlink("out", "/etc"), folder("out"), file("out/evil"))],
  [
    "links to everywhere",
    tarOf(symlink("a", "/"), symlink("b", "../../.."), symlink("c", "/proc/1/root"), symlink("d", "d")),
  ],
  ["an opaque root", tarOf(file(".wh..wh..opq", ""), file("only"))],
  ["devices", tarOf(device("mem", "3", [1, 1]), device("disk", "4", [8, 0]), device("null", "3", [1, 3]))],
  ["sockets and fifos", tarOf({ name: "fifo", type: "6" })],
  [
    "bits that make root of everybody",
    tarOf({ name: "suid", content: "x", mode: 0o6777, uid: 0 }, { name: "open", type: "5", mode: 0o7777 }),
  ],
  ["the same name a thousand times", tarOf(...Array.from({ length: 1000 }, (_, at) => file("same", String(at))))],
  [
    "a file and a directory taking turns",
    tarOf(...Array.from({ length: 200 }, (_, at) => (at % 2 === 0 ? file("turn") : folder("turn")))),
  ],
  [
    "names in a thousand alphabets",
    tarOf(
      file("\u0001\n\u007f"),
      file("ü雪🙂"),
      { name: Buffer.from([0x66, 0xff, 0xfe]), content: "x" },
      file("-rf"),
      file("$(x)"),
    ),
  ],
];

export function hostileLayers(scene: () => Scene): void {
  describe("a layer with", () => {
    let guard: HostGuard | undefined;
    before(async () => {
      guard = await guardHost();
    });

    const packings = [(archive: Buffer) => archive, gzipSync, zstdCompressSync] as const; // each in turn
    for (const [at, [what, archive, words]] of refused.entries()) {
      it(`${what} fails the pull in words, and nothing is left`, () =>
        leavesStoreAsItWas(async () => {
          const pack = packings[at % packings.length] ?? gzipSync;
          const image = await pushRaw("hostile", { layers: [pack(archive)], diffIds: [digestOf(archive)] });
          const error = await fails(scene(), { image, details: /: layer sha256:[0-9a-f]{64}: / });
          assert.match(error.details, words);
        }));
    }

    for (const [what, archive] of confined) {
      it(`${what} stays where it is`, () =>
        leavesStoreAsItWas(async () => {
          const { cri } = scene();
          const image = await pushRaw("confined", { layers: [archive] });
          await cri.image.pullImage({ image: { image } });
          await leavesStoreAsItWas(async () => {
            await cri.image.pullImage({ image: { image } }); // once more changes nothing
          });
          await cri.image.removeImage({ image: { image } });
        }));
    }

    it("any of this has changed nothing of the host", async () => {
      assert.ok(guard !== undefined);
      await guard.check();
    });

    it("overlayfs' own attributes does not get them", async () => {
      const { cri } = scene();
      const names = ["redirect", "metacopy", "opaque", "origin", "nlink", "upper"];
      const pax = Object.fromEntries(
        names.flatMap((name) => [
          [`SCHILY.xattr.trusted.overlay.${name}`, "/../../../etc"],
          [`SCHILY.xattr.user.overlay.${name}`, "/../../../etc"],
        ]),
      );
      const archive = tarOf({ name: "file", content: "x", pax }, { name: "folder/", type: "5", mode: 0o755, pax });
      await leavesStoreAsItWas(async () => {
        const image = await pushRaw("attributes", { layers: [archive] });
        await cri.image.pullImage({ image: { image } });
        const layer = digestOf(archive).slice("sha256:".length);
        for (const path of ["file", "folder"]) {
          const attributes = llistxattr(join(graphRoot, "overlay", layer, "diff", path));
          assert.deepEqual(
            attributes.map(String).filter((name) => name.startsWith("trusted.overlay.")),
            [],
          );
        }
        await cri.image.removeImage({ image: { image } });
      });
    });

    it("devices of the host gives a container no way to them", async () => {
      const { cri } = scene();
      const busybox = await readFile(installedBusybox() ?? "");
      const base = writeTar(busyboxLayer(busybox, ["sh", "cat", "sleep", "head"]));
      const disk = await firstDisk();
      const devices = tarOf(device("mem", "3", [1, 1]), device("kmsg", "3", [1, 11]), device("disk", "4", disk));
      await leavesStoreAsItWas(async () => {
        const image = await pushRaw("devices", { layers: [base, devices] });
        await cri.image.pullImage({ image: { image } });
        const config = hostNetworkPod("devices");
        await withPod(cri, { config }, (podSandboxId) => {
          const container = goodContainer("app", { image: { image } });
          return withContainer(cri, { podSandboxId, sandboxConfig: config, config: container }, async (containerId) => {
            for (const path of ["/mem", "/kmsg", "/disk"]) {
              const cmd = ["head", "-c", "1", path];
              const { exitCode, stderr } = await cri.runtime.execSync({ containerId, cmd, timeout: 10n });
              assert.notEqual(exitCode, 0, `${path} can be read`);
              assert.match(stderr.toString(), /not permitted|denied/, path);
            }
          });
        });
        await cri.image.removeImage({ image: { image } });
      });
    });

    it("a great many entries, or great depth, is unpacked, and goes again", async () => {
      const { cri } = scene();
      const many = tarOf(...Array.from({ length: 5_000 }, (_, at) => file(`many/${at % 100}/${at}`, "")));
      const depths = Array.from({ length: 900 }, (_, at) => `${"d/".repeat(at + 1)}`);
      const deep = tarOf(...depths.map((path) => ({ name: "d/", type: "5", mode: 0o755, pax: { path } })));
      await leavesStoreAsItWas(async () => {
        for (const [name, archive] of Object.entries({ many, deep })) {
          const image = await pushRaw(name, { layers: [gzipSync(archive)], diffIds: [digestOf(archive)] });
          await cri.image.pullImage({ image: { image } });
          await cri.image.removeImage({ image: { image } });
        }
      });
    });

    it("a thousand times the bytes it is sent as is not taken into memory", async () => {
      const { daemon } = scene();
      const zeros = gzipSync(tarOf({ name: "zeros", content: Buffer.alloc(200 << 20) }), { level: 1 });
      const image = await pushRaw("zeros", { layers: [zeros], diffIds: [`sha256:${"2".repeat(64)}`] });
      await writeFile(`/proc/${daemon.pid}/clear_refs`, "5"); // the peak begins anew
      const before = await peakMiB(daemon.pid);
      await leavesStoreAsItWas(() => fails(scene(), { image, details: /: layer sha256:\w+: it unpacks to sha256/ }));
      const grown = (await peakMiB(daemon.pid)) - before;
      assert.ok(grown < 120, `the daemon grew by ${grown} MiB for a layer of 200 MiB`);
    });

    it("several compressed members, or something behind the end, is judged by what it is", async () => {
      const { cri } = scene();
      const archive = tarOf(file("a", "first"), file("b", "second"));
      const [head, tail] = [archive.subarray(0, 700), archive.subarray(700)];
      await leavesStoreAsItWas(async () => {
        const members = Buffer.concat([gzipSync(head), gzipSync(tail)]);
        const image = await pushRaw("members", { layers: [members], diffIds: [digestOf(archive)] });
        await cri.image.pullImage({ image: { image } });
        await cri.image.removeImage({ image: { image } });
        for (const blob of [
          Buffer.concat([gzipSync(archive), Buffer.from("garbage behind the end")]),
          gzipSync(archive).subarray(0, -20),
          Buffer.from("BZh91AY&SY this is no gzip"),
          Buffer.alloc(0),
        ]) {
          const bad = await pushRaw("members-bad", { layers: [blob], diffIds: [digestOf(archive)] });
          await leavesStoreAsItWas(() => fails(scene(), { image: bad, details: /layer sha256:[0-9a-f]{64}: / }));
        }
      });
    });

    it("nothing in it, or an image without layers, has a root file system of its own", async () => {
      const { cri } = scene();
      const config = hostNetworkPod("empty-image");
      await leavesStoreAsItWas(async () => {
        for (const layers of [[], [Buffer.alloc(1024)]]) {
          const image = await pushRaw(`empty-${layers.length}`, { layers });
          await cri.image.pullImage({ image: { image } });
          await withPod(cri, { config }, async (podSandboxId) => {
            const container = goodContainer("app", { image: { image }, command: ["/bin/sh"] });
            const create = cri.runtime.createContainer({ podSandboxId, sandboxConfig: config, config: container });
            const error = await create.catch((reason: unknown) => reason);
            assert.ok(error instanceof CriError, "an empty image has no shell");
            assert.match(error.details, /container create failed: .*\/bin\/sh/);
          });
          await cri.image.removeImage({ image: { image } });
        }
      });
    });
  });
}

/** Writes letters where the header has the size, with the checksum right. */
function spoilSize(archive: Buffer): Buffer {
  const header = Buffer.from(archive.subarray(0, 512));
  header.write("zzzzzzzzzzz", 124, "latin1");
  return Buffer.concat([withChecksum(header), archive.subarray(512)]);
}

/** The numbers of a block device that this machine has. */
async function firstDisk(): Promise<readonly [number, number]> {
  for (const name of await readdir("/sys/block")) {
    const [major = 0, minor = 0] = (await readFile(`/sys/block/${name}/dev`, "utf8")).trim().split(":").map(Number);
    if ((await stat(`/sys/block/${name}`)).isDirectory()) return [major, minor];
  }
  return [8, 0];
}

async function peakMiB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/^VmHWM:\s*(\d+) kB$/m.exec(text)?.[1]) / 1024);
}
