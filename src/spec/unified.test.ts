import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { parseUnified } from "./unified.ts";

describe("parseUnified", () => {
  it("reads values in base64 or as they are", () => {
    assert.deepEqual(
      { ...parseUnified(`memory.high=1000;memory.low=${Buffer.from("max").toString("base64")};io.max=8:0 rbps=max`) },
      { "memory.high": "1000", "memory.low": "max", "io.max": "8:0 rbps=max" },
    );
  });

  it("takes base64 of several lines", () => {
    const value = Buffer.from("8:0 rbps=1\n8:16 rbps=2").toString("base64");
    assert.equal(parseUnified(`io.max=${value}`)["io.max"], "8:0 rbps=1\n8:16 rbps=2");
  });

  for (const text of [
    "",
    "memory.high",
    "=1",
    "../cgroup.procs=1",
    "cgroup/procs=1",
    "memory=1",
    ".x=1",
    "a.b=\u0001",
    "__proto__=x",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseUnified(text),
        (error) => isFault(error, "invalid") && error.message === `invalid annotation ${JSON.stringify(text)}`,
      );
    });
  }
});
