import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { durationText, parseDuration, parseDurationMs } from "./duration.ts";

describe("parseDuration", () => {
  const good: readonly (readonly [string, bigint])[] = [
    ["0", 0n],
    ["-0", 0n],
    ["0s", 0n],
    ["5s", 5_000_000_000n],
    ["+5s", 5_000_000_000n],
    ["-5.6s", -5_600_000_000n],
    ["1h15m30.918273645s", 4_530_918_273_645n],
    ["100ns", 100n],
    ["11us", 11_000n],
    ["12µs", 12_000n],
    ["12μs", 12_000n],
    ["13ms", 13_000_000n],
    [".5s", 500_000_000n],
    ["1.s", 1_000_000_000n],
    ["0.3333333333333333333h", 1_200_000_000_000n - 1n],
    ["9223372036854775807ns", 9_223_372_036_854_775_807n],
  ];
  for (const [text, ns] of good) it(`reads ${text}`, () => assert.equal(parseDuration(text), ns));

  const bad: readonly (readonly [string, RegExp])[] = [
    ["", /invalid duration/],
    ["3", /missing unit in duration "3"/],
    ["-", /invalid duration/],
    ["s", /invalid duration/],
    [".", /invalid duration/],
    [".s", /invalid duration/],
    ["3 s", /unknown unit " s"/],
    ["1d", /unknown unit "d" in duration "1d"/],
    ["1s2", /missing unit/],
    ["1.2.3s", /missing unit/],
    ["9223372036854775808ns", /invalid duration/],
    ["99999999h", /invalid duration/],
    ["1".repeat(1000), /invalid duration/],
    ["__proto__", /invalid duration/],
  ];
  for (const [text, message] of bad) {
    it(`refuses ${JSON.stringify(text.slice(0, 24))}`, () => {
      assert.throws(() => parseDuration(text), { name: "Fault", code: "invalid", message });
    });
  }
});

describe("durationText", () => {
  const pairs: readonly (readonly [number, string])[] = [
    [0, "0s"],
    [1000, "1s"],
    [1500, "1.5s"],
    [90_000, "1m30s"],
    [3_600_000, "1h0m0s"],
    [500, "500ms"],
    [1.5, "1.5ms"],
    [0.0015, "1.5µs"],
    [0.000_001, "1ns"],
    [-2000, "-2s"],
  ];
  for (const [ms, text] of pairs) {
    it(`writes ${ms} ms as ${text} and reads it back`, () => {
      assert.equal(durationText(ms), text);
      assert.equal(parseDurationMs(text), ms);
    });
  }
});
