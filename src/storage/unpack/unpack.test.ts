import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { lgetxattr, llistxattr } from "../../host/index.ts";
import { headerBlock, paxBody, tarMembers, tarOf } from "./tar-writer.test-support.ts";
import { UnpackBench } from "./unpack.test-support.ts";

const bench = new UnpackBench();
after(() => bench[Symbol.asyncDispose]());

describe("unpacking a layer", () => {
  it("makes files, directories and links with their owners, modes and times", async () => {
    const { root, uids, gids, entries, hasRootEntry } = await bench.unpack(
      tarOf(
        { name: "./", type: "5", mode: 0o751, uid: 7, gid: 8, mtime: 1000 },
        { name: "bin/", type: "5", mode: 0o2775, uid: 1, gid: 2, mtime: 2000 },
        { name: "bin/su", content: "elf", mode: 0o4755, uid: 3, gid: 4, mtime: 3000 },
        { name: "bin/sh", type: "2", link: "/bin/su", uid: 5, gid: 6, mtime: 4000 },
        { name: "bin/again", type: "1", link: "bin/su", mode: 0o4755, uid: 3, gid: 4, mtime: 3000 },
        { name: "fifo", type: "6", mode: 0o622 },
        { name: "null", type: "3", mode: 0o666, device: [1, 3] },
        { name: "disk", type: "4", mode: 0o660, device: [259, 70_000], gid: 6 },
      ),
    );
    const top = lstatSync(root, { bigint: true });
    assert.deepEqual([top.mode & 0o7777n, top.uid, top.gid, top.mtimeMs], [0o751n, 7n, 8n, 1_000_000n]);
    const bin = lstatSync(join(root, "bin"), { bigint: true });
    assert.deepEqual([bin.mode & 0o7777n, bin.uid, bin.gid, bin.mtimeMs], [0o2775n, 1n, 2n, 2_000_000n]);
    const su = lstatSync(join(root, "bin/su"), { bigint: true });
    assert.deepEqual([su.mode & 0o7777n, su.uid, su.gid, su.mtimeMs, su.nlink], [0o4755n, 3n, 4n, 3_000_000n, 2n]);
    assert.equal(readFileSync(join(root, "bin/su"), "utf8"), "elf");
    const sh = lstatSync(join(root, "bin/sh"), { bigint: true });
    assert.deepEqual([readlinkSync(join(root, "bin/sh")), sh.uid, sh.gid, sh.mtimeMs], ["/bin/su", 5n, 6n, 4_000_000n]);
    assert.equal(lstatSync(join(root, "fifo")).isFIFO(), true);
    assert.deepEqual(deviceOf(join(root, "null")), ["character", 1, 3, 0o666]);
    assert.deepEqual(deviceOf(join(root, "disk")), ["block", 259, 70_000, 0o660]);
    assert.deepEqual([uids, gids, entries, hasRootEntry], [[0, 1, 3, 5, 7], [0, 2, 4, 6, 8], 8, true]);
  });

  it("gives files to root also where their directory hands down its group", async () => {
    const { root } = await bench.unpack(
      tarOf(
        { name: "plain", content: "x", mode: 0o755 },
        { name: "masked", content: "x", mode: 0o777 },
        { name: "shared/", type: "5", mode: 0o2777, gid: 50 },
        { name: "shared/file", content: "x", mode: 0o644 },
        { name: "shared/dir/", type: "5", mode: 0o700 },
        { name: "shared/old", content: "x", mtime: 2 ** 35, pax: { mtime: "-1.5" } },
      ),
    );
    const facts = (path: string) => {
      const { mode, uid, gid } = lstatSync(join(root, path));
      return [mode & 0o7777, uid, gid];
    };
    assert.deepEqual(["plain", "masked", "shared/file", "shared/dir"].map(facts), [
      [0o755, 0, 0],
      [0o777, 0, 0],
      [0o644, 0, 0],
      [0o700, 0, 0],
    ]);
    assert.equal(lstatSync(join(root, "shared/old"), { bigint: true }).mtimeNs, -1_500_000_000n);
  });

  it("reads PAX and GNU long names, nanoseconds, large owners, and ignores global headers", async () => {
    const long = `${"d".repeat(120)}/${"n".repeat(200)}`;
    const { root, tarSplit } = await bench.unpack(
      tarOf(
        { name: "pax_global_header", type: "g", content: paxBody({ path: "elsewhere", comment: "x" }) },
        { name: "short", content: "1", pax: { path: long, mtime: "1700000000.123456789", uid: "4294967294" } },
        { name: "././@LongLink", type: "L", content: `gnu/${long}\0` },
        { name: "././@LongLink", type: "K", content: `/${long}\0` },
        { name: "cut", type: "2", link: "cut" },
      ),
    );
    const file = lstatSync(join(root, long), { bigint: true });
    assert.deepEqual([file.uid, file.mtimeNs], [4_294_967_294n, 1_700_000_000_123_456_789n]);
    assert.equal(readlinkSync(join(root, "gnu", long)), `/${long}`);
    assert.deepEqual(
      tarSplit.filter((line) => line.type === 1).map((line) => line.name),
      ["pax_global_header", long, `gnu/${long}`],
    );
  });

  it("joins the ustar prefix, also the one that old Go wrote into GNU headers", async () => {
    const ustar = headerBlock({ name: "file" });
    ustar.write("some/prefix", 345);
    const gnu = headerBlock({ name: "file" });
    gnu.write("ustar  \0", 257);
    gnu.write("other/prefix", 345);
    const { root } = await bench.unpack(tarOf(resum(ustar), resum(gnu)));
    assert.equal(statSync(join(root, "some/prefix/file")).isFile(), true);
    assert.equal(statSync(join(root, "other/prefix/file")).isFile(), true);
  });

  it("keeps names that are not UTF-8 as they are", async () => {
    const name = Buffer.from([0x66, 0xff, 0xfe]);
    const { root, tarSplit } = await bench.unpack(
      tarOf(
        { name: Buffer.concat([name, Buffer.from("/")]), type: "5", mode: 0o700, mtime: 5 },
        { name: Buffer.concat([name, Buffer.from("/x")]), content: "y", mode: 0o600 },
        { name: "link", type: "1", link: Buffer.concat([name, Buffer.from("/x")]) },
        { name: Buffer.concat([name, Buffer.from("/.wh."), name]) },
      ),
    );
    const top = Buffer.concat([Buffer.from(`${root}/`), name]);
    assert.equal(lstatSync(top).mtimeMs, 5000);
    assert.deepEqual(readdirSync(top, { encoding: "buffer" }).map(String).sort(), ["x", String(name)].sort());
    assert.equal(readFileSync(join(root, "link"), "utf8"), "y");
    assert.equal(tarSplit[1]?.name_raw, Buffer.concat([name, Buffer.from("/")]).toString("base64"));
  });

  it("sets capabilities and user attributes, and leaves out what steers overlayfs and SELinux", async () => {
    const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
    const { root, skippedXattrs } = await bench.unpack(
      tarOf(
        {
          name: "ping",
          content: "x",
          uid: 9,
          mode: 0o4755,
          pax: {
            "SCHILY.xattr.security.capability": capability,
            "SCHILY.xattr.user.note": "a=b\nc",
            "SCHILY.xattr.trusted.overlay.redirect": "/etc",
            "SCHILY.xattr.trusted.overlay.opaque": "y",
            "SCHILY.xattr.user.overlay.opaque": "y",
            "SCHILY.xattr.security.selinux": "system_u:object_r:bin_t:s0",
          },
        },
        { name: "link", type: "2", link: "ping", pax: { "SCHILY.xattr.user.note": "not on links" } },
      ),
    );
    assert.deepEqual([...llistxattr(join(root, "ping"))].sort(), ["security.capability", "user.note"]);
    assert.deepEqual(lgetxattr(join(root, "ping"), "security.capability"), capability);
    assert.equal(lgetxattr(join(root, "ping"), "user.note")?.toString(), "a=b\nc");
    assert.equal(lstatSync(join(root, "ping")).mode & 0o7777, 0o4755);
    assert.equal(skippedXattrs, 5);
  });

  it("turns whiteouts into overlayfs' own", async () => {
    const { root } = await bench.unpack(
      tarOf(
        { name: "etc/.wh.passwd", uid: 0 },
        { name: ".wh.top" },
        { name: "var/cache/", type: "5", mode: 0o755 },
        { name: "var/cache/.wh..wh..opq" },
        { name: "implied/.wh..wh..opq" },
        { name: "./.wh..wh.plnk", type: "5" },
      ),
    );
    assert.deepEqual(deviceOf(join(root, "etc/passwd")), ["character", 0, 0, 0]);
    assert.deepEqual(deviceOf(join(root, "top")), ["character", 0, 0, 0]);
    assert.equal(opaqueness(join(root, "var/cache")), "y");
    assert.equal(opaqueness(join(root, "implied")), "y");
    assert.deepEqual(readdirSync(root).sort(), ["etc", "implied", "top", "var"]);
    assert.deepEqual(readdirSync(join(root, "var/cache")), []);
  });

  it("lets what a layer puts in a place win over its own whiteout of it, hiding what was there", async () => {
    const { root } = await bench.unpack(
      tarOf(
        { name: "dir/", type: "5" },
        { name: ".wh.dir" },
        { name: "file", content: "x" },
        { name: ".wh.file" },
        { name: ".wh.later" },
        { name: "later/", type: "5", mode: 0o755 },
        { name: ".wh.implied" },
        { name: "implied/deep/file", content: "y" },
        { name: ".wh.gone" },
        { name: "gone/.wh.bar" },
        { name: "gone/deep/.wh.bar" },
      ),
    );
    assert.equal(opaqueness(join(root, "dir")), "y");
    assert.equal(readFileSync(join(root, "file"), "utf8"), "x");
    assert.equal(opaqueness(join(root, "later")), "y");
    assert.equal(opaqueness(join(root, "implied")), "y");
    assert.equal(readFileSync(join(root, "implied/deep/file"), "utf8"), "y");
    assert.deepEqual(deviceOf(join(root, "gone")), ["character", 0, 0, 0]);
  });

  it("replaces what an earlier entry made, whatever it was", async () => {
    const { root } = await bench.unpack(
      tarOf(
        { name: "a/b/c", content: "deep" },
        { name: "a", content: "file now" },
        { name: "f", content: "1" },
        { name: "f/", type: "5", mode: 0o711 },
        { name: "l", type: "2", link: "/f" },
        { name: "l", content: "not through the link" },
        { name: "d/", type: "5", mode: 0o700 },
        { name: "d/kept", content: "k" },
        { name: "d/", type: "5", mode: 0o755 },
        { name: "h", content: "old" },
        { name: "h", type: "1", link: "a" },
      ),
    );
    assert.equal(readFileSync(join(root, "a"), "utf8"), "file now");
    assert.equal(lstatSync(join(root, "f")).mode & 0o777, 0o711);
    assert.equal(readFileSync(join(root, "l"), "utf8"), "not through the link");
    assert.deepEqual(readdirSync(join(root, "f")), []);
    assert.equal(lstatSync(join(root, "d")).mode & 0o777, 0o755);
    assert.equal(readFileSync(join(root, "d/kept"), "utf8"), "k");
    assert.equal(readFileSync(join(root, "h"), "utf8"), "file now");
  });

  it("hashes both sides, for plain, gzip and zstd, in any chunking, with members and frames concatenated", async () => {
    const tar = tarOf({ name: "x", content: "hello".repeat(30_000) }, { name: "y", content: "z" });
    const half = 70_001;
    const variants = {
      none: [tar, tar],
      gzip: [gzipSync(tar), Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half))])],
      zstd: [
        zstdCompressSync(tar),
        Buffer.concat([zstdCompressSync(tar.subarray(0, half)), skippable, zstdCompressSync(tar.subarray(half))]),
      ],
    };
    for (const [compression, blobs] of Object.entries(variants)) {
      for (const blob of blobs) {
        for (const chunkBytes of [1, 511, 65_536].filter((size) => blob.length / size < 5000)) {
          const layer = await bench.unpack(blob, { chunkBytes });
          assert.equal(layer.compression, compression);
          assert.deepEqual([layer.diffSha256, layer.diffSize], [sha256(tar), tar.length]);
          assert.deepEqual([layer.compressedSha256, layer.compressedSize], [sha256(blob), blob.length]);
          assert.equal(readFileSync(join(layer.root, "x"), "utf8").length, 150_000);
        }
      }
    }
  });

  it("reads eStargz and zstd:chunked as what they are besides: gzip members and zstd frames", async () => {
    const content = "hello".repeat(3_000);
    const tar = tarOf({ name: "x", content }, { name: "stargz.index.json", content: "{}" });
    const cuts = [0, 512, 512 + 8192, tar.length - 1024, tar.length];
    const pieces = cuts.slice(1).map((end, at) => tar.subarray(cuts[at], end));
    // an empty member whose extra field says where the table of contents begins; frames for the manifest, tar-split and the footer
    const starFooter = Buffer.concat([
      Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 26, 0, 0x53, 0x47, 22, 0]),
      Buffer.from("0000000000000200STARGZ"),
      Buffer.from([1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]),
    ]);
    const eStargz = Buffer.concat([...pieces.map((piece) => gzipSync(piece)), starFooter]);
    const zstdChunked = Buffer.concat([
      ...pieces.map((piece) => zstdCompressSync(piece)),
      skippable,
      skippable,
      skippable,
    ]);
    for (const [compression, blob] of [
      ["gzip", eStargz],
      ["zstd", zstdChunked],
    ] as const) {
      for (const chunkBytes of [7, 65_536]) {
        const layer = await bench.unpack(blob, { chunkBytes });
        assert.deepEqual([layer.compression, layer.diffSha256], [compression, sha256(tar)]);
        assert.equal(layer.compressedSha256, sha256(blob));
        assert.equal(readFileSync(join(layer.root, "x"), "utf8"), content);
      }
    }
  });

  it("hashes what follows the end of the archive, and does without the end itself", async () => {
    const tar = Buffer.concat([tarOf({ name: "x", content: "1" }), Buffer.alloc(9000), Buffer.from("odd")]);
    const layer = await bench.unpack(tar);
    assert.deepEqual([layer.diffSha256, layer.diffSize], [sha256(tar), tar.length]);
    const open = await bench.unpack(tarMembers({ name: "x", content: "1" }));
    assert.equal(readFileSync(join(open.root, "x"), "utf8"), "1");
    const empty = await bench.unpack(Buffer.alloc(0));
    assert.deepEqual([empty.entries, empty.diffSha256], [0, sha256(Buffer.alloc(0))]);
  });

  it("writes tar-split from which the archive can be made again", async () => {
    const tar = Buffer.concat([
      tarOf(
        { name: "dir/", type: "5" },
        { name: "dir/a<&>b", content: "1".repeat(700), pax: { mtime: "1.5" } },
        { name: "empty" },
        { name: "dir/.wh.gone" },
        { name: "link", type: "1", link: "empty" },
        { name: "big", content: "x".repeat(3_000_000) },
      ),
      Buffer.alloc(1_500_000),
    ]);
    const { root, tarSplit } = await bench.unpack(gzipSync(tar));
    const again = tarSplit.map((line) => {
      if (line.type === 2) return Buffer.from(String(line.payload), "base64");
      return line.size === undefined ? Buffer.alloc(0) : readFileSync(join(root, String(line.name)));
    });
    assert.equal(sha256(Buffer.concat(again)), sha256(tar));
    assert.deepEqual(
      tarSplit.map((line) => line.position),
      tarSplit.map((_line, at) => at),
    );
    assert.deepEqual(
      tarSplit.filter((line) => line.type === 1).map((line) => [line.name, line.size, line.payload === null]),
      [
        ["dir/", undefined, true],
        ["dir/a<&>b", 700, false],
        ["empty", undefined, true],
        ["dir/.wh.gone", undefined, true],
        ["link", undefined, true],
        ["big", 3_000_000, false],
      ],
    );
  });

  it("waits for no layer whose bytes do not come, and goes on with it when they do", async () => {
    const tar = tarOf({ name: "file", content: Buffer.alloc(100_000, 7) });
    const more = Promise.withResolvers<void>();
    const halting = async function* () {
      yield tar.subarray(0, 50_000);
      await more.promise;
      yield tar.subarray(50_000);
    };
    const halted = [1, 2, 3, 4].map(() => bench.unpack(halting()));
    const { diffSha256 } = await bench.unpack(tar);
    assert.equal(diffSha256, sha256(tar));
    more.resolve();
    for (const layer of await Promise.all(halted)) assert.equal(layer.diffSha256, sha256(tar));
  });
});

const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);

function resum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  block.write(
    `${block
      .reduce((total, byte) => total + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
    "latin1",
  );
  return block;
}

function deviceOf(path: string): readonly [string, number, number, number] {
  const stat = lstatSync(path);
  const major = (stat.rdev >>> 8) & 0xfff;
  const minor = (stat.rdev & 0xff) | ((stat.rdev >>> 12) & 0xfff00);
  return [
    stat.isBlockDevice() ? "block" : stat.isCharacterDevice() ? "character" : "none",
    major,
    minor,
    stat.mode & 0o777,
  ];
}

function opaqueness(path: string): string | undefined {
  return lgetxattr(path, "trusted.overlay.opaque")?.toString();
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
