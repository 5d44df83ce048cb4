import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { localTimestamp } from "./local-timestamp.ts";

describe("localTimestamp", () => {
  it("is RFC 3339 without colons", () =>
    assert.match(localTimestamp(new Date()), /^\d{4}-\d\d-\d\dT\d{6}(Z|[+-]\d{4})$/));
});
