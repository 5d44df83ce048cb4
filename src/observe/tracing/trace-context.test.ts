import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseTraceParent, traceSource } from "./trace-context.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";

describe("a traceparent", () => {
  it("is continued as the caller has decided", () => {
    assert.deepEqual(parseTraceParent(`00-${traceId}-${spanId}-01`), { traceId, spanId, isSampled: true });
    assert.equal(parseTraceParent(`00-${traceId}-${spanId}-00`)?.isSampled, false);
    assert.deepEqual(parseTraceParent(`cc-${traceId}-${spanId}-01-what-will-be`), { traceId, spanId, isSampled: true });
  });

  it("that is none is not", () => {
    for (const text of [
      undefined,
      "",
      `ff-${traceId}-${spanId}-01`,
      `00-${"0".repeat(32)}-${spanId}-01`,
      `00-${traceId}-${"0".repeat(16)}-01`,
      `00-${traceId}-${spanId}-01-more`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
    ]) {
      assert.equal(parseTraceParent(text), undefined, text ?? "none");
    }
  });

  it("that is missing begins a trace, sampled as often as was asked for", () => {
    const without = () => undefined;
    assert.equal(traceSource(0)(without).isSampled, false);
    const all = traceSource(1_000_000)(without);
    assert.equal(all.isSampled, true);
    assert.equal(all.spanId, undefined);
    assert.match(all.traceId, /^[0-9a-f]{32}$/);
    const half = Array.from({ length: 1000 }, () => traceSource(500_000)(without)).filter((each) => each.isSampled);
    assert.ok(half.length > 350 && half.length < 650, String(half.length));
  });
});
