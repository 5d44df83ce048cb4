import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "./fault.ts";
import { parseGoRegExp } from "./go-regexp.ts";

describe("parseGoRegExp", () => {
  it("takes Go's flags at the beginning", () => assert.match("ABC", parseGoRegExp("(?i)^b?a")));
  it("matches everything when empty", () => assert.match("anything", parseGoRegExp("")));
  it("refuses what is no expression", () =>
    assert.throws(
      () => parseGoRegExp("("),
      (error) => isFault(error, "invalid"),
    ));
});
