import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { Crc64 } from "./crc64.ts";

describe("Crc64", () => {
  it("gives the published check value of CRC-64/GO-ISO", () => {
    const crc = new Crc64();
    crc.update(Buffer.from("123456789"));
    assert.equal(crc.digest().toString("hex"), "b90956c775a41001");
  });

  it("is zero for nothing", () => {
    assert.equal(new Crc64().digest().toString("hex"), "0000000000000000");
  });

  it("agrees with the bit by bit definition for any length, alignment and split", () => {
    const data = randomBytes(5000);
    for (const [from, split, to] of [
      [0, 1, 7],
      [0, 8, 16],
      [3, 1001, 1999],
      [5, 4096, 5000],
    ] as const) {
      const crc = new Crc64();
      crc.update(data.subarray(from, split));
      crc.update(data.subarray(split, to));
      assert.equal(crc.digest().readBigUInt64BE(), bitByBit(data.subarray(from, Math.max(split, to))));
      crc.reset();
      assert.equal(crc.digest().readBigUInt64BE(), 0n);
    }
  });
});

function bitByBit(bytes: Uint8Array): bigint {
  const all = 0xffff_ffff_ffff_ffffn;
  let crc = all;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ ((crc & 1n) === 1n ? 0xd800_0000_0000_0000n : 0n);
  }
  return crc ^ all;
}
