import { randomUUID } from "node:crypto";
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  type MethodDefinition,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { asPartOf, codeOf, Fault, type Logger, type Operation, type Operations, reasonOf } from "../base/index.ts";
import { type TraceSource, waitsText } from "../observe/index.ts";
import { type Call, endedEarly } from "./call.ts";
import { shownMessage } from "./shown-message.ts";
import { RpcFault, serviceErrorOf } from "./status.ts";
import { checkRequest } from "./wire-check.ts";

/** Answers one message with one message. */
export type Unary<Request, Response> = (request: Request, call: Call) => Promise<Response>;

/** Answers one message with a sequence. */
export type Streaming<Request, Response> = (request: Request, call: Call) => AsyncIterable<Response>;

/** A message type of the generated code. */
interface MessageType {
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

/** A method of the generated code. */
interface Method {
  readonly name: string;
  readonly requestType: MessageType;
  readonly requestStream: boolean;
  readonly responseType: MessageType;
  readonly responseStream: boolean;
}

/** A service of the generated code (ts-proto's generic definitions). */
export interface GeneratedService {
  readonly fullName: string;
  readonly methods: Readonly<Record<string, unknown>>;
}

type RequestOf<M> = M extends { requestType: { decode(bytes: Uint8Array): infer R } } ? R : never;
type ResponseOf<M> = M extends { responseType: { decode(bytes: Uint8Array): infer R } } ? R : never;

/** A handler for each method of service `S` that has one; the others answer UNIMPLEMENTED. */
export type Handlers<S extends GeneratedService> = {
  readonly [K in keyof S["methods"]]?: S["methods"][K] extends { responseStream: true }
    ? Streaming<RequestOf<S["methods"][K]>, ResponseOf<S["methods"][K]>>
    : Unary<RequestOf<S["methods"][K]>, ResponseOf<S["methods"][K]>>;
};

/** News of each finished call, for metrics. */
export interface CallReport {
  readonly rpc: string;
  readonly elapsedMs: number;
  readonly failed: boolean;
}

export interface ServiceOptions {
  readonly log: Logger;
  /** Every call is one of these while it lasts. */
  readonly operations: Operations;
  /** Which trace a call belongs to; none when there are no traces. */
  readonly traceOf?: TraceSource;
  readonly onCall?: (report: CallReport) => void;
}

/** The service in gRPC's terms: how its messages travel, and what answers them. */
export function bindService<S extends GeneratedService>(
  service: S,
  handlers: Handlers<S>,
  options: ServiceOptions,
): { readonly definition: ServiceDefinition; readonly implementation: UntypedServiceImplementation } {
  // How long a sequence lasts is up to its reader: CRI-O counts no call of this kind either.
  const { onCall: _reported, ...unreported } = options;
  const definition: Record<string, MethodDefinition<Decoded, unknown>> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [key, raw] of Object.entries(service.methods)) {
    const method = raw as Method; // the generated table; its shape is the generator's promise
    const path = `/${service.fullName}/${method.name}`;
    definition[key] = methodDefinition(path, method);
    const handler = handlers[key as keyof S["methods"]] as unknown;
    implementation[key] = method.responseStream
      ? streamingHandler(path, handler as Streaming<unknown, unknown> | undefined, unreported)
      : unaryHandler(path, handler as Unary<unknown, unknown> | undefined, options);
  }
  return { definition, implementation };
}

function methodDefinition(path: string, method: Method): MethodDefinition<Decoded, unknown> {
  return {
    path,
    requestStream: method.requestStream,
    responseStream: method.responseStream,
    requestSerialize: (decoded) => Buffer.from(method.requestType.encode(messageOf(decoded)).finish()),
    requestDeserialize: (bytes) => decodeRequest(path, method, bytes),
    responseSerialize: (message) => Buffer.from(method.responseType.encode(message).finish()),
    responseDeserialize: (bytes) => method.responseType.decode(bytes),
  };
}

/** What has come: a message, or why it is none. gRPC's own answer to a decoder that throws would leave out the reason. */
type Decoded =
  | { readonly is: "message"; readonly message: unknown }
  | { readonly is: "refused"; readonly why: unknown };

function decodeRequest(path: string, method: Method, bytes: Uint8Array): Decoded {
  try {
    checkRequest(path, bytes);
    return { is: "message", message: method.requestType.decode(bytes) };
  } catch (why) {
    return { is: "refused", why };
  }
}

function messageOf(decoded: Decoded): unknown {
  if (decoded.is === "refused") throw decoded.why;
  return decoded.message;
}

function unaryHandler(
  path: string,
  handler: Unary<unknown, unknown> | undefined,
  options: ServiceOptions,
): handleUnaryCall<Decoded, unknown> {
  return (grpcCall, callback) => {
    const { call, operation, finish, explained } = begin(path, grpcCall, options);
    const answer = async () => await requireHandler(path, handler)(messageOf(grpcCall.request), call);
    asPartOf(operation, answer).then(
      (response) => {
        finish(undefined);
        callback(null, response);
      },
      (error: unknown) => {
        finish(error);
        callback(serviceErrorOf(explained(error), call.signal));
      },
    );
  };
}

function streamingHandler(
  path: string,
  handler: Streaming<unknown, unknown> | undefined,
  options: ServiceOptions,
): handleServerStreamingCall<Decoded, unknown> {
  return (stream) => {
    const { call, operation, finish } = begin(path, stream, options);
    const answer = () => pump(stream, () => requireHandler(path, handler)(messageOf(stream.request), call));
    asPartOf(operation, answer).then(
      () => {
        finish(undefined);
        stream.end();
      },
      (error: unknown) => {
        finish(error);
        stream.emit("error", serviceErrorOf(error, call.signal));
      },
    );
  };
}

async function pump(stream: ServerWritableStream<Decoded, unknown>, messages: () => AsyncIterable<unknown>) {
  for await (const message of messages()) {
    if (stream.cancelled) return;
    if (!stream.write(message)) {
      await new Promise<void>((resolve) => {
        const go = () => {
          stream.removeListener("drain", go);
          stream.removeListener("cancelled", go);
          resolve();
        };
        stream.once("drain", go);
        stream.once("cancelled", go);
      });
    }
  }
}

function requireHandler<H>(path: string, handler: H | undefined): H {
  if (handler !== undefined) return handler;
  throw new RpcFault(status.UNIMPLEMENTED, `${path} is not implemented`);
}

type GrpcCall = (ServerUnaryCall<Decoded, unknown> | ServerWritableStream<Decoded, unknown>) & { metadata: Metadata };

function begin(path: string, grpcCall: GrpcCall, { log, operations, traceOf, onCall }: ServiceOptions) {
  const startMs = performance.now();
  const deadlineMs = deadlineOf(grpcCall.getDeadline());
  const controller = new AbortController();
  const onCancelled: (event: "cancelled", listener: () => void) => unknown = grpcCall.on.bind(grpcCall);
  const id = randomUUID();
  const bound = log.with({ id, name: path });
  const rpc = path.slice(path.lastIndexOf("/") + 1);
  const { request } = grpcCall;
  const operation = operations.begin(rpc, {
    id,
    ...(request.is === "message" ? { about: subjectsOf(request.message) } : {}),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(traceOf === undefined ? {} : { trace: traceOf((name) => headerOf(grpcCall.metadata, name)) }),
  });
  let waits = "";
  onCancelled("cancelled", () => {
    waits = waitsText(operation); // now: what is awaited ends with the signal
    if (waits !== "") bound.warn("the client has left before its request was done", { waits });
    controller.abort(endedEarly(deadlineMs));
  });
  if (request.is === "message") bound.debug("request", { message: shownMessage(request.message) });
  const finish = (error: unknown) => {
    onCall?.({ rpc, elapsedMs: performance.now() - startMs, failed: error !== undefined });
    if (error !== undefined) bound.debug("request failed", { error: reasonOf(error) });
    operation.end(error);
  };
  /** The error of a client that has left, with what its request was waiting for. */
  const explained = (error: unknown) => (waits === "" ? error : withWaits(error, waits));
  const call: Call = { signal: controller.signal, deadlineMs, log: bound };
  return { call, operation, finish, explained } satisfies { operation: Operation } & Record<string, unknown>;
}

function withWaits(error: unknown, waits: string): unknown {
  const text = `${reasonOf(error)} (${waits})`;
  if (error instanceof RpcFault) return new RpcFault(error.status, text, { cause: error });
  return new Fault(codeOf(error), text, { cause: error });
}

function headerOf(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return typeof value === "string" ? value : undefined;
}

const subjectFields: readonly string[] = ["podSandboxId", "containerId"];

/** The ids and the image that a request names, as far as they are of a length that ids and names have. */
function subjectsOf(message: unknown): readonly string[] {
  if (typeof message !== "object" || message === null) return [];
  const fields: Readonly<Record<string, unknown>> = { ...message };
  const { image } = fields;
  const name = typeof image === "object" && image !== null && "image" in image ? image.image : undefined;
  return [...subjectFields.map((field) => fields[field]), name].filter(
    (value): value is string => typeof value === "string" && value !== "" && value.length <= longestSubject,
  );
}

const longestSubject = 512;

function deadlineOf(deadline: Date | number): number | undefined {
  const ms = deadline instanceof Date ? deadline.getTime() : deadline;
  return Number.isFinite(ms) ? ms : undefined;
}
