import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** A span that has ended, as OTLP has it (opentelemetry/proto/trace/v1/trace.proto). */
export interface Span {
  /** Hex digits, as the ids below. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: "internal" | "server";
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Attributes;
  /** Why it failed; undefined when it did not. */
  readonly error: string | undefined;
}

export type Attributes = Readonly<Record<string, string | number>>;

const kinds = { internal: 1, server: 2 } as const;
const statusError = 2;

/** The bytes of an ExportTraceServiceRequest with one resource. */
export function encodeExport(resource: Attributes, scope: string, spans: readonly Span[]): Uint8Array {
  const writer = new BinaryWriter();
  message(writer, 1, (resourceSpans) => {
    message(resourceSpans, 1, (inner) => writeAttributes(inner, 1, resource));
    message(resourceSpans, 2, (scopeSpans) => {
      message(scopeSpans, 1, (inner) => inner.tag(1, lengthDelimited).string(scope));
      for (const span of spans) message(scopeSpans, 2, (inner) => writeSpan(inner, span));
    });
  });
  return writer.finish();
}

const varint = 0;
const fixed64 = 1;
const lengthDelimited = 2;

function message(writer: BinaryWriter, field: number, write: (inner: BinaryWriter) => void): void {
  writer.tag(field, lengthDelimited).fork();
  write(writer);
  writer.join();
}

function writeSpan(writer: BinaryWriter, span: Span): void {
  writer.tag(1, lengthDelimited).bytes(Buffer.from(span.traceId, "hex"));
  writer.tag(2, lengthDelimited).bytes(Buffer.from(span.spanId, "hex"));
  if (span.parentSpanId !== undefined) writer.tag(4, lengthDelimited).bytes(Buffer.from(span.parentSpanId, "hex"));
  writer.tag(5, lengthDelimited).string(span.name);
  writer.tag(6, varint).int32(kinds[span.kind]);
  writer.tag(7, fixed64).fixed64(span.startNs);
  writer.tag(8, fixed64).fixed64(span.endNs);
  writeAttributes(writer, 9, span.attributes);
  const { error } = span;
  if (error === undefined) return;
  message(writer, 15, (inner) => inner.tag(2, lengthDelimited).string(error).tag(3, varint).int32(statusError));
}

function writeAttributes(writer: BinaryWriter, field: number, attributes: Attributes): void {
  for (const [key, value] of Object.entries(attributes)) {
    message(writer, field, (pair) => {
      pair.tag(1, lengthDelimited).string(key);
      message(pair, 2, (any) => {
        if (typeof value === "string") any.tag(1, lengthDelimited).string(value);
        else any.tag(3, varint).int64(value);
      });
    });
  }
}
