import { randomHex, type TraceParent } from "../../base/index.ts";

/** Which trace a call belongs to, from its headers. */
export type TraceSource = (header: (name: string) => string | undefined) => TraceParent;

/**
 * Continues the caller's trace (W3C Trace Context, `traceparent`), and begins one where it has none. The caller's decision about sampling
 * holds; without a caller, `perMillion` of a million are sampled, the same ones on every node that sees the id.
 */
export function traceSource(perMillion: number): TraceSource {
  return (header) => {
    const parent = parseTraceParent(header("traceparent"));
    if (parent !== undefined) return parent;
    const traceId = randomHex(16);
    return { traceId, spanId: undefined, isSampled: isAmong(traceId, perMillion) };
  };
}

/** As the TraceIdRatioBased sampler of OpenTelemetry's SDK for Go: by the last eight bytes of the id. */
function isAmong(traceId: string, perMillion: number): boolean {
  const bound = (BigInt(Math.max(0, Math.trunc(perMillion))) << 63n) / 1_000_000n;
  return BigInt(`0x${traceId.slice(16)}`) >> 1n < bound;
}

/** `version-traceid-parentid-flags`; undefined for anything else, which is then no trace's. */
export function parseTraceParent(text: string | undefined): TraceParent | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(text?.trim() ?? "");
  const [, version, traceId, spanId, flags, more] = match ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
