import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { constants, createDeflate, createInflate } from "node:zlib";
import { isFault } from "../../base/index.ts";
import { headerBlock } from "../testing/spdy-client.ts";
import { headerDictionary } from "./dictionary.ts";
import { controlFrame, dataHeader, pingFrame, words } from "./frame.ts";
import { type Frame, FrameReader } from "./frame-reader.ts";
import { HeaderDeflater, HeaderInflater, parseHeaderBlock } from "./headers.ts";

function read(bytes: Buffer, pieceBytes = bytes.length): Frame[] {
  const reader = new FrameReader(1000);
  const frames: Frame[] = [];
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
    reader.add(bytes.subarray(offset, offset + pieceBytes));
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
  }
  return frames;
}

const invalid = (error: unknown) => isFault(error, "invalid");

describe("frames", () => {
  it("are the same however the bytes arrive", () => {
    const bytes = Buffer.concat([
      pingFrame(7),
      dataHeader(3, 5, 1),
      Buffer.from("hello"),
      dataHeader(5, 0, 1),
      pingFrame(9),
    ]);
    for (let pieceBytes = 1; pieceBytes <= bytes.length; pieceBytes++) {
      const frames = read(bytes, pieceBytes);
      const data = frames.flatMap((frame) => (frame.is === "data" && frame.streamId === 3 ? [frame] : []));
      assert.equal(Buffer.concat(data.map((frame) => frame.bytes)).toString(), "hello");
      assert.deepEqual(data.map((frame) => frame.fin).filter(Boolean), [true]);
      assert.ok(data.at(-1)?.fin);
      const control = frames.flatMap((frame) => (frame.is === "control" ? [frame.payload.readUInt32BE()] : []));
      assert.deepEqual(control, [7, 9]);
      assert.ok(frames.some((frame) => frame.is === "data" && frame.streamId === 5 && frame.fin));
    }
  });

  it("of control are refused when they are too large or of another version", () => {
    assert.throws(() => read(controlFrame(4, 0, Buffer.alloc(1001))), invalid);
    assert.throws(() => read(Buffer.from([0x80, 2, 0, 6, 0, 0, 0, 4])), invalid);
    assert.throws(() => read(Buffer.from("\xc7\xc5\xd4 / HTTP/1.1", "latin1")), invalid);
  });

  it("of data may be as large as they like: nothing is held", () => {
    const reader = new FrameReader(1000);
    reader.add(dataHeader(1, 0xffffff, 0));
    assert.equal(reader.next(), undefined);
    for (let piece = 0; piece < 255; piece++) {
      reader.add(Buffer.alloc(64 << 10));
      const frame = reader.next();
      assert.ok(frame?.is === "data" && frame.bytes.length === 64 << 10);
      assert.equal(reader.next(), undefined);
    }
  });
});

describe("header blocks", () => {
  const compress = (...blocks: readonly Buffer[]) => {
    const deflate = createDeflate({ dictionary: headerDictionary(), flush: constants.Z_SYNC_FLUSH });
    return Promise.all(
      blocks.map((block) => new Promise<void>((resolve) => deflate.write(block, () => resolve()))),
    ).then(() => deflate.read() as Buffer);
  };

  it("use the dictionary of the draft", async () => {
    const [a, b] = headerDictionary().reduce<[number, number]>(
      ([low, high], byte) => [(low + byte) % 65_521, (high + low + byte) % 65_521],
      [1, 0],
    );
    assert.equal(((b << 16) | a) >>> 0, 0xe3c6a7c2);
  });

  it("are read as they were written, in one stream of compression", async () => {
    const inflater = new HeaderInflater(1000);
    const block = headerBlock([
      ["streamtype", "data"],
      ["port", "80"],
    ]);
    const deflate = createDeflate({ dictionary: headerDictionary(), flush: constants.Z_SYNC_FLUSH });
    for (let index = 0; index < 20; index++) {
      await new Promise((resolve) => deflate.write(block, resolve));
      const headers = parseHeaderBlock(await inflater.inflate(deflate.read()), 10);
      assert.deepEqual(
        [...headers],
        [
          ["streamtype", "data"],
          ["port", "80"],
        ],
      );
    }
    inflater.close();
  });

  it("that we send can be read with the dictionary, block by block", async () => {
    const deflater = new HeaderDeflater();
    const inflate = createInflate({ dictionary: headerDictionary() });
    for (const value of ["one", "two"]) {
      await new Promise((resolve) => inflate.write(deflater.deflate(new Map([["name", value]])), resolve));
      assert.deepEqual([...parseHeaderBlock(inflate.read(), 10)], [["name", value]]);
    }
  });

  it("that blow up are given up on", async () => {
    const bomb = await compress(Buffer.alloc(10 << 20));
    assert.ok(bomb.length < 16 << 10);
    const inflater = new HeaderInflater(16 << 10);
    await assert.rejects(inflater.inflate(bomb), invalid);
    await assert.rejects(inflater.inflate(bomb), invalid);
  });

  it("that are no compression are refused", async () => {
    const inflater = new HeaderInflater(1000);
    await assert.rejects(inflater.inflate(Buffer.from("no zlib stream at all")), invalid);
  });

  it("are refused when anything about them is unusual", () => {
    const wrong: readonly Buffer[] = [
      Buffer.alloc(0),
      words(1),
      words(1, 0xffffffff),
      words(0xffffffff),
      headerBlock([["Upper", "x"]]),
      headerBlock([["", "x"]]),
      headerBlock([
        ["a", "1"],
        ["a", "2"],
      ]),
      headerBlock([["a", "1"]], 2),
      Buffer.concat([headerBlock([["a", "1"]]), Buffer.from("more")]),
      headerBlock(Array.from({ length: 11 }, (_, index) => [`n${index}`, ""] as const)),
    ];
    for (const block of wrong) assert.throws(() => parseHeaderBlock(block, 10), invalid, block.toString("hex"));
    for (let index = 0; index < 2000; index++) {
      try {
        parseHeaderBlock(randomBytes(index % 40), 10);
      } catch (error) {
        assert.ok(invalid(error));
      }
    }
  });

  it("know no names but their own", () => {
    const headers = parseHeaderBlock(
      headerBlock([
        ["__proto__", "x"],
        ["port", "1\u00002"],
      ]),
      10,
    );
    assert.equal(headers.get("__proto__"), "x");
    assert.equal(headers.get("port"), "1");
    assert.equal(headers.get("constructor"), undefined);
  });
});
