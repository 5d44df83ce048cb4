import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Fault, type FaultCode } from "../../base/index.ts";
import type { LayerLimits } from "./limits.ts";
import { headerBlock, paxBody, type TestEntry, tarMembers, tarOf, withChecksum } from "./tar-writer.test-support.ts";
import { chunksOf, UnpackBench } from "./unpack.test-support.ts";

const bench = new UnpackBench();
after(() => bench[Symbol.asyncDispose]());

async function refused(
  blob: Uint8Array,
  code: FaultCode,
  words: RegExp,
  limits: Partial<LayerLimits> = {},
): Promise<void> {
  await assert.rejects(bench.unpack(blob, { limits }), (error) => {
    assert.ok(error instanceof Fault, String(error));
    assert.match(error.message, words);
    assert.equal(error.code, code, error.message);
    return true;
  });
}

describe("a hostile layer", () => {
  it("writes nothing outside, whatever its links and paths say", async () => {
    const outside = join(bench.directory, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "secret"), "untouched");
    const before = statSync(outside).mtimeMs;
    const up = "../".repeat(12);
    const down = outside.slice(1);
    const { root } = await bench.unpack(
      tarOf(
        { name: `${down}/`, type: "5" },
        { name: "abs", type: "2", link: outside },
        { name: "abs/secret", content: "overwritten" },
        { name: "abs/new", content: "x" },
        { name: "rel", type: "2", link: `${up}${down}` },
        { name: "rel/secret", content: "overwritten" },
        { name: "stolen", type: "1", link: "abs/secret" },
        { name: "file", type: "2", link: `${outside}/secret` },
        { name: "file", content: "replaces the link" },
        { name: "abs/.wh.secret" },
        { name: "abs/.wh..wh..opq" },
        { name: "abs/sub/", type: "5", mode: 0o777 },
        { name: `/${down}/secret`, content: "absolute" },
        { name: "proc", type: "2", link: "/proc/1/root" },
      ),
    );
    assert.equal(readFileSync(join(outside, "secret"), "utf8"), "untouched");
    assert.deepEqual(readdirSync(outside), ["secret"]);
    assert.equal(statSync(outside).mtimeMs, before);
    assert.equal(readFileSync(join(root, down, "secret"), "utf8"), "absolute");
  });

  it("cannot name a path above its root", async () => {
    for (const name of ["../x", "a/../../x", "..", "./../x", `${"a/../".repeat(10)}../x`]) {
      await refused(tarOf({ name, content: "x" }), "invalid", /leads out of the layer/);
      await refused(tarOf({ name: "l", type: "1", link: name }), "invalid", /leads out of the layer/);
    }
  });

  it("cannot make its root anything but a directory, nor delete it", async () => {
    for (const type of ["0", "2", "3", "6"]) {
      for (const name of ["./", "/", "."]) {
        await refused(tarOf({ name, type, link: "x" }), "invalid", /the root of the layer/);
      }
    }
    for (const name of [".wh.", ".wh..", ".wh...", "a/.wh."]) await refused(tarOf({ name }), "invalid", /whiteout/);
  });

  it("gets a clear refusal for what no layer may hold", async () => {
    await refused(tarOf({ name: "s", type: "S" }), "unimplemented", /sparse/);
    for (const key of ["GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.size"]) {
      await refused(tarOf({ name: "s", pax: { [key]: "1125899906842624" } }), "unimplemented", /sparse/);
    }
    await refused(tarOf({ name: "v", type: "V" }), "invalid", /type "V"/);
    await refused(tarOf({ name: "h", type: "1", link: "missing" }), "invalid", /"h".*hard link to "missing"/);
    await refused(tarOf({ name: "h", type: "1", link: "h" }), "invalid", /hard link/);
    await refused(tarOf({ name: "f", content: "x" }, { name: "f", type: "1", link: "f" }), "invalid", /to itself/);
    await refused(tarOf({ name: "l", type: "2", link: "" }), "invalid", /symbolic link to nothing/);
    await refused(tarOf({ name: "d", type: "3", device: [4096, 0] }), "invalid", /device number/);
    await refused(tarOf({ name: "u", uid: 0xffff_ffff }), "invalid", /uid of 4294967295/);
    await refused(tarOf({ name: "u", pax: { uid: "-1" } }), "invalid", /uid of -1/);
    await refused(tarOf({ name: "u", pax: { gid: "99999999999" } }), "invalid", /gid of 99999999999/);
    await refused(tarOf({ name: "n", pax: { path: "a\0b" } }), "invalid", /NUL/);
    await refused(tarOf({ name: "f", content: "x" }, { name: "f/g", content: "y" }), "invalid", /"f\/g".*ENOTDIR/);
    await refused(tarOf({ name: "l", type: "2", link: "void" }, { name: "l/x" }), "invalid", /leads nowhere/);
    await refused(tarOf({ name: "l", type: "2", link: "l" }, { name: "l/x" }), "invalid", /ELOOP/);
    await refused(tarOf({ name: "n", pax: { path: "a".repeat(300) } }), "invalid", /ENAMETOOLONG/);
    await refused(tarOf({ name: "n", pax: { path: "a/".repeat(2100) } }), "invalid", /path of 4200 characters/);
    await refused(
      tarOf({ name: "n", pax: { "SCHILY.xattr.user.x": "v".repeat(70_000) } }),
      "failed",
      /E2BIG|ENOSPC|ERANGE/,
    );
  });

  it("is told where it is damaged", async () => {
    const whole = tarOf({ name: "first", content: "1".repeat(2000) }, { name: "second", content: "2".repeat(2000) });
    await refused(whole.subarray(0, 300), "corrupt", /before the first entry.*middle of a header/);
    await refused(whole.subarray(0, 1000), "corrupt", /in entry "first".*1512 bytes short/);
    await refused(whole.subarray(0, 2800), "corrupt", /after entry "first".*middle of a header/);
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(0x41, 2560 + 20);
    await refused(flipped, "corrupt", /after entry "first".*checksum/);
    await refused(
      Buffer.concat([tarMembers({ name: "a" }), Buffer.alloc(512), tarOf({ name: "b" })]),
      "corrupt",
      /zeros/,
    );
    await refused(tarMembers({ name: "x", type: "x", content: paxBody({ a: "b" }) }), "corrupt", /after an extension/);
    await refused(tarOf({ name: "x", type: "L", content: "y" }), "corrupt", /after an extension/);
    await refused(tarMembers({ name: "x", type: "x", size: 4000 }), "corrupt", /middle of an extension/);
    await refused(randomBytes(4096), "corrupt", /before the first entry/);
  });

  it("cannot get away with header fields and PAX records that are none", async () => {
    const fields: readonly [number, string][] = [
      [100, "abc"],
      [108, "9"],
      [124, "-1"],
      [124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"],
      [124, "\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"],
    ];
    for (const [at, text] of fields) {
      const block = headerBlock({ name: "x" });
      block.fill(0, at, at + (at === 124 ? 12 : 8));
      block.write(text, at, "latin1");
      await refused(tarOf(withChecksum(block)), "corrupt", /not a number|negative/);
    }
    for (const body of [
      "x",
      "5 a=b\n",
      "6 a=b",
      "7 a=b\n",
      "99999999 a=b\n",
      "6 a-b\n",
      "6 =ab\n",
      "06 a=b\nrest",
      " 6 a=b\n",
      "-6 a=b\n",
    ]) {
      await refused(tarOf({ name: "x", type: "x", content: body }, { name: "f" }), "corrupt", /PAX header/);
    }
    const values: Readonly<Record<string, string>> = { size: "1e3", uid: "0x10", mtime: "yesterday", gid: "1 " };
    for (const [key, value] of Object.entries(values)) {
      await refused(tarOf({ name: "f", pax: { [key]: value } }), "corrupt", new RegExp(`${key} is not a number`));
    }
    await refused(tarOf({ name: "f", pax: { size: "-5" } }), "corrupt", /negative/);
  });

  it("does not touch prototypes with PAX keys", async () => {
    await bench.unpack(tarOf({ name: "f", pax: { __proto__x: "1", constructor: "2", "SCHILY.xattr.__proto__": "3" } }));
    assert.equal(Object.hasOwn(Object.prototype, "SCHILY.xattr"), false);
  });

  it("is stopped at its limits", async () => {
    const many = Array.from({ length: 30 }, (_, n): TestEntry => ({ name: `f${n}`, uid: n }));
    await refused(tarOf(...many), "exhausted", /more than 20 entries/, { maxEntries: 20 });
    await refused(tarOf({ name: `${"a/".repeat(40)}f` }), "exhausted", /more than 20 directories/, { maxEntries: 20 });
    await refused(tarOf(...many), "exhausted", /more than 20 different owners/, { maxOwners: 20 });
    await refused(tarOf({ name: "f", pax: { comment: "c".repeat(3000) } }), "exhausted", /extension header/, {
      maxHeaderBytes: 2048,
    });
    await refused(tarOf({ name: "x", type: "L", content: "n".repeat(3000) }), "exhausted", /extension header/, {
      maxHeaderBytes: 2048,
    });
    const chain = Array.from(
      { length: 10 },
      (): TestEntry => ({ name: "x", type: "x", content: paxBody({ a: "b".repeat(900) }) }),
    );
    await refused(tarOf(...chain), "exhausted", /extension header/, { maxHeaderBytes: 1024 });
    const huge = tarOf({ name: "x", size: 8 * 2 ** 30 }, Buffer.alloc(3 * 2 ** 20));
    await refused(huge, "exhausted", /larger than 2097152 bytes/, { maxBytes: 2 ** 21 });
  });

  it("cannot use compression as a bomb", async () => {
    const bomb = tarOf({ name: "x", content: Buffer.alloc(40 * 2 ** 20) });
    const limits = { maxBytes: 30 * 2 ** 20 };
    await refused(gzipSync(bomb), "exhausted", /larger than 31457280 bytes/, limits);
    await refused(zstdCompressSync(bomb), "exhausted", /larger than 31457280 bytes/, limits);
    await refused(zstdCompressSync(bomb), "exhausted", /4096 times larger/, { ratioFromBytes: 2 ** 20 });
    // A frame that asks for a window of 128 MiB.
    await refused(
      Buffer.concat([Buffer.from("28b52ffd0088", "hex"), Buffer.alloc(64)]),
      "exhausted",
      /window larger than 33554432/,
    );
  });

  it("takes little memory, however much it unpacks to", async () => {
    await bench.unpack(tarOf());
    const member = gzipSync(Buffer.alloc(32 * 2 ** 20), { level: 1 });
    const bomb = Buffer.concat([gzipSync(tarOf()), ...Array.from({ length: 8 }, () => member)]);
    const before = process.memoryUsage.rss();
    let peak = before;
    const timer = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss());
    }, 5);
    const { diffSize } = await bench.unpack(bomb);
    clearInterval(timer);
    assert.equal(diffSize, 8 * 32 * 2 ** 20 + tarOf().length);
    assert.ok(peak - before < 64 * 2 ** 20, `${(peak - before) / 2 ** 20} MiB more for 256 MiB unpacked`);
  });

  it("cannot hide truncation, damage or additions behind its compression", async () => {
    const tar = tarOf({ name: "x", content: randomBytes(100_000) });
    for (const [name, blob] of [
      ["gzip", gzipSync(tar)],
      ["zstd", zstdCompressSync(tar)],
    ] as const) {
      await refused(blob.subarray(0, blob.length - 3), "corrupt", new RegExp(`${name} data`));
      await refused(blob.subarray(0, 50_000), "corrupt", new RegExp(`${name} data`));
      await refused(Buffer.concat([blob, Buffer.from("more")]), "corrupt", new RegExp(`${name} data`));
      await refused(Buffer.concat([blob, Buffer.alloc(700)]), "corrupt", new RegExp(`${name} data`));
      await refused(Buffer.concat([blob, blob.subarray(0, 9)]), "corrupt", new RegExp(`${name} data`));
    }
    const damaged = Buffer.from(gzipSync(tar));
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 6) ^ 1, damaged.length - 6);
    await refused(damaged, "corrupt", /gzip data: incorrect data check/);
    await refused(Buffer.from("BZh91AY&SY"), "unimplemented", /bzip2/);
    await refused(Buffer.from("fd377a585a000004", "hex"), "unimplemented", /xz/);
  });

  it("takes time in proportion to its size, also when it replaces and nests", async () => {
    // In memory where that can be: a disk adds its own ideas of time.
    await using fast = new UnpackBench(existsSync("/dev/shm") ? "/dev/shm" : tmpdir());
    const replacing = (n: number) =>
      tarOf(
        ...Array.from({ length: 20 * n }, (): TestEntry[] => [
          { name: "d/a/b/c", content: "x" },
          { name: "d", type: "2", link: "." },
          { name: "d", content: "y" },
          { name: "d/", type: "5" },
        ]).flat(),
      );
    const deep = (n: number) =>
      tarOf(
        ...Array.from(
          { length: n },
          (_, at): TestEntry => ({ name: "p", pax: { path: `${at}/${"a/".repeat(150)}f` } }),
        ),
      );
    for (const make of [replacing, deep]) {
      const small = await cpuOf(() => fast.unpack(make(10)));
      const large = await cpuOf(() => fast.unpack(make(40)));
      assert.ok(large < 16 * small + 0.5, `${make.name}: ${small} s, then ${large} s for four times as much`);
    }
  });

  it("leaves the worker usable after a failure, and dies with the signal", async () => {
    await refused(tarOf({ name: ".." }), "invalid", /leads out/);
    await bench.unpack(tarOf({ name: "fine" }));
    const controller = new AbortController();
    const endless = (async function* () {
      yield headerBlock({ name: "endless", size: 2 ** 33 });
      for (let n = 0; ; n++) {
        if (n === 5) controller.abort(new Fault("cancelled", "the caller left"));
        yield Buffer.alloc(65_536);
      }
    })();
    await assert.rejects(bench.unpack(endless, { signal: controller.signal }), /the caller left/);
    const silent: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.withResolvers<IteratorResult<Uint8Array>>().promise }),
    };
    await assert.rejects(bench.unpack(silent, { signal: AbortSignal.timeout(50) }), { name: "TimeoutError" });
    const source = (async function* () {
      yield headerBlock({ name: "x", size: 1024 });
      throw new Fault("unavailable", "the registry hung up");
    })();
    await assert.rejects(bench.unpack(source), /the registry hung up/);
    assert.equal(lstatSync((await bench.unpack(chunksOf(tarOf({ name: "f" }), 100))).root).isDirectory(), true);
  });

  it("fails, and does not hang, when its thread dies", async () => {
    await using other = new UnpackBench();
    let started = () => {};
    const start = new Promise<void>((resolve) => {
      started = resolve;
    });
    const endless = (async function* () {
      yield headerBlock({ name: "endless", size: 2 ** 33 });
      for (let n = 0; ; n++) {
        if (n === 100) started();
        yield Buffer.alloc(65_536);
      }
    })();
    const unpacking = assert.rejects(other.unpack(endless), /thread that unpacks layers ended unexpectedly/);
    await start;
    await other.workers.close();
    await unpacking;
    await assert.rejects(other.unpack(tarOf()), /the store is closed/);
  });

  it("reads no further ahead than the worker can follow", async () => {
    let given = 0;
    const eager = (async function* () {
      yield headerBlock({ name: "x", size: 24 * 2 ** 20 });
      for (; given < 24; given++) yield Buffer.alloc(2 ** 20);
      yield Buffer.alloc(1024);
    })();
    const unpacking = bench.unpack(eager);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(given < 10, `${given} MiB were read at once`);
    await unpacking;
    assert.equal(given, 24);
  });
});

async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
