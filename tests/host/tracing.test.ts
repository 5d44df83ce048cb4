/** Traces: the kubelet's is continued, with a span for each stage and each program; and nothing waits for a collector that is away. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Client, credentials, Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import { RunPodSandboxRequest, RunPodSandboxResponse } from "../../src/cri/generated/api.ts";
import { eventually } from "../support/daemon/crictl.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { goodPod, openScene, type Scene } from "./bad-input/scene.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const callerSpan = "00f067aa0ba902b7";
const endpoint = "127.0.0.1:43170";

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: string;
  readonly name: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: ReadonlyMap<string, string>;
}

describe("the trace of a pod's start", () => {
  const spans: Span[] = [];
  const collector = new Server();
  let scene: Scene;
  let atFirst: Awaited<ReturnType<typeof takeInventory>>;
  before(async () => {
    atFirst = await takeInventory();
    scene = await openScene({ flags: ["--enable-tracing", "--tracing-endpoint", endpoint] });
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
    collector.forceShutdown();
    await expectNoLeaks(atFirst, { ignore: ["images"] });
  });

  it("waits for no collector, and tells once that there is none", async () => {
    const { podSandboxId } = await runTraced("first");
    await scene.cri.runtime.removePodSandbox({ podSandboxId });
    await eventually("the log says so", async () =>
      /spans cannot be sent to the collector/.test(await scene.daemon.log()),
    );
  });

  it("is the kubelet's, with spans for the call, its stages and the programs it ran", async () => {
    await serve();
    const { podSandboxId } = await runTraced("second");
    await scene.cri.runtime.removePodSandbox({ podSandboxId });
    const root = await eventually("the spans", async () =>
      spans.find(
        ({ name, attributes }) => name === "RunPodSandbox" && attributes.get("crio.about")?.includes("second"),
      ),
    );
    assert.equal(root.traceId, traceId);
    assert.equal(root.parent, callerSpan);
    assert.equal(root.attributes.get("rpc.system"), "grpc");
    const under = (span: Span): readonly Span[] =>
      spans.filter(({ parent }) => parent === span.spanId).flatMap((child) => [child, ...under(child)]);
    const all = under(root);
    for (const stage of ["sandbox storage creation", "sandbox namespace creation", "sandbox network creation"]) {
      assert.ok(
        all.some(({ name }) => name === stage),
        `${stage} in ${all.map(({ name }) => name)}`,
      );
    }
    const network = all.find(({ name }) => name === "sandbox network creation");
    assert.ok(network !== undefined);
    const bridge = under(network).find(({ attributes }) => attributes.get("process.command_line")?.endsWith("/bridge"));
    assert.ok(bridge !== undefined, "the CNI plugin has a span below the stage that ran it");
    for (const span of all) {
      assert.ok(span.startNs >= root.startNs && span.endNs >= span.startNs, span.name);
      assert.equal(span.traceId, traceId);
    }
    assert.ok(!spans.some(({ name }) => name === "RemovePodSandbox"), "calls without a sampled caller are not traced");
  });

  /** RunPodSandbox as a kubelet that traces it. */
  function runTraced(name: string): Promise<RunPodSandboxResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<RunPodSandboxResponse>();
    const client = new Client(`unix:${scene.daemon.socket}`, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set("traceparent", `00-${traceId}-${callerSpan}-01`);
    client.makeUnaryRequest(
      "/runtime.v1.RuntimeService/RunPodSandbox",
      (message: RunPodSandboxRequest) => Buffer.from(RunPodSandboxRequest.encode(message).finish()),
      (bytes) => RunPodSandboxResponse.decode(bytes),
      RunPodSandboxRequest.fromPartial({ config: goodPod(name) as object }),
      metadata,
      (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
    );
    return promise.finally(() => client.close());
  }

  function serve(): Promise<void> {
    collector.addService(
      {
        export: {
          path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
          requestStream: false,
          responseStream: false,
          requestSerialize: (bytes: Buffer) => bytes,
          requestDeserialize: (bytes: Buffer) => bytes,
          responseSerialize: (bytes: Buffer) => bytes,
          responseDeserialize: (bytes: Buffer) => bytes,
        },
      },
      {
        export: (call: { request: Buffer }, callback: (error: null, answer: Buffer) => void) => {
          spans.push(...spansOf(call.request));
          callback(null, Buffer.alloc(0));
        },
      },
    );
    return new Promise((resolve, reject) => {
      collector.bindAsync(endpoint, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }
});

type Field = Uint8Array | bigint | number;

/** The fields of a message by their numbers, as far as there are no repeated numbers inside of a packed one. */
function fieldsOf(bytes: Uint8Array): ReadonlyMap<number, readonly Field[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, Field[]>();
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const value = wireType === 2 ? reader.bytes() : wireType === 1 ? BigInt(reader.fixed64()) : reader.int32();
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

function inner(bytes: Uint8Array, ...path: readonly number[]): readonly Uint8Array[] {
  const [field, ...rest] = path;
  if (field === undefined) return [bytes];
  const found = (fieldsOf(bytes).get(field) ?? []).filter((value) => value instanceof Uint8Array);
  return found.flatMap((value) => inner(value, ...rest));
}

/** resource_spans = 1, scope_spans = 2, spans = 2 */
function spansOf(bytes: Uint8Array): readonly Span[] {
  return inner(bytes, 1, 2, 2).map((span) => {
    const hex = (field: number) => Buffer.from(inner(span, field)[0] ?? []).toString("hex");
    const number = (field: number) => BigInt(fieldsOf(span).get(field)?.[0] as bigint);
    const text = (part: Uint8Array, ...path: readonly number[]) =>
      Buffer.from(inner(part, ...path)[0] ?? []).toString();
    return {
      traceId: hex(1),
      spanId: hex(2),
      parent: hex(4),
      name: text(span, 5),
      startNs: number(7),
      endNs: number(8),
      attributes: new Map(inner(span, 9).map((pair) => [text(pair, 1), text(pair, 2, 1)])),
    };
  });
}
