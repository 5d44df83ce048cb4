/** A CRI client for tests: every call of both services, typed, over the daemon's socket. */
import {
  Client,
  type ClientReadableStream,
  credentials,
  type MethodDefinition,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { ImageServiceDefinition, RuntimeServiceDefinition } from "../../../src/cri/generated/api.ts";

export interface CallOptions {
  /** The client's deadline, which travels with the request. Default: two minutes. */
  readonly deadlineMs?: number;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
}

/** A call that failed, as the client saw it. */
export class CriError extends Error {
  /** The gRPC code: see `status` of @grpc/grpc-js. */
  readonly code: number;
  /** The daemon's words. */
  readonly details: string;

  constructor(call: string, { code, details }: { readonly code: number; readonly details: string }) {
    super(`${call}: ${status[code] ?? code}: ${details}`);
    this.name = "CriError";
    this.code = code;
    this.details = details;
  }
}

interface Message<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
  fromPartial(part: never): T;
}

interface Method {
  readonly name: string;
  readonly requestType: Message<never>;
  readonly responseType: Message<unknown>;
  readonly responseStream: boolean;
}

interface Service {
  readonly fullName: string;
  readonly methods: Readonly<Record<string, unknown>>;
}

/** Any part of a message; what is left out is the zero of its type. */
type Part<T> = T extends bigint | string | number | boolean | Uint8Array | undefined
  ? T
  : T extends readonly (infer U)[]
    ? readonly Part<U>[]
    : { readonly [K in keyof T]?: Part<T[K]> | undefined };

type RequestOf<M> = M extends { requestType: { decode(bytes: Uint8Array): infer R } } ? R : never;
type ResponseOf<M> = M extends { responseType: { decode(bytes: Uint8Array): infer R } } ? R : never;

/** The calls of a service by name. Unary ones reject with {@link CriError}; streams throw it while they are read. */
export type Calls<S extends Service> = {
  readonly [K in keyof S["methods"]]: S["methods"][K] extends { responseStream: true }
    ? (request: Part<RequestOf<S["methods"][K]>>, options?: CallOptions) => AsyncIterable<ResponseOf<S["methods"][K]>>
    : (request: Part<RequestOf<S["methods"][K]>>, options?: CallOptions) => Promise<ResponseOf<S["methods"][K]>>;
};

export interface Cri extends Disposable {
  readonly runtime: Calls<typeof RuntimeServiceDefinition>;
  readonly image: Calls<typeof ImageServiceDefinition>;
  /** Sends bytes as they are, which need not be a message: `raw("/runtime.v1.RuntimeService/Version", bytes)`. */
  raw(path: string, bytes: Uint8Array, options?: CallOptions): Promise<Buffer>;
  /** The same for a call that answers with a sequence. */
  rawStream(path: string, bytes: Uint8Array, options?: CallOptions): AsyncIterable<Buffer>;
  close(): void;
}

const defaultDeadlineMs = 120_000;

/** A client of the daemon that serves `socket`; it connects with its first call. */
export function openCri(socket: string): Cri {
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": 80 << 20,
    "grpc.max_send_message_length": 80 << 20,
  });
  return {
    runtime: callsOf(client, RuntimeServiceDefinition),
    image: callsOf(client, ImageServiceDefinition),
    raw: (path, bytes, options = {}) => unary(client, rawMethod(path), Buffer.from(bytes), options),
    rawStream: (path, bytes, options = {}) => streaming(client, rawMethod(path), Buffer.from(bytes), options),
    close: () => client.close(),
    [Symbol.dispose]: () => client.close(),
  };
}

function callsOf<S extends Service>(client: Client, service: S): Calls<S> {
  const calls = Object.entries(service.methods).map(([key, raw]) => {
    const method = raw as Method; // the generated table; its shape is the generator's promise
    const definition = definitionOf(`/${service.fullName}/${method.name}`, method);
    const call = (request: never, options: CallOptions = {}) => {
      const message = method.requestType.fromPartial(request);
      return method.responseStream
        ? streaming(client, definition, message, options)
        : unary(client, definition, message, options);
    };
    return [key, call] as const;
  });
  return Object.fromEntries(calls) as unknown as Calls<S>; // one entry for each method, by the loop above
}

type Definition<Q, A> = Pick<MethodDefinition<Q, A>, "path" | "requestSerialize" | "responseDeserialize">;

function definitionOf(path: string, { requestType, responseType }: Method): Definition<never, unknown> {
  return {
    path,
    requestSerialize: (message) => Buffer.from(requestType.encode(message).finish()),
    responseDeserialize: (bytes) => responseType.decode(bytes),
  };
}

function rawMethod(path: string): Definition<Buffer, Buffer> {
  return { path, requestSerialize: (bytes) => bytes, responseDeserialize: (bytes) => bytes };
}

function unary<Q, A>(client: Client, method: Definition<Q, A>, request: Q, options: CallOptions): Promise<A> {
  const { promise, resolve, reject } = Promise.withResolvers<A>();
  const call = client.makeUnaryRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    { deadline: Date.now() + (options.deadlineMs ?? defaultDeadlineMs) },
    (error: ServiceError | null, response?: A) => {
      if (error === null && response !== undefined) resolve(response);
      else reject(new CriError(method.path, error ?? { code: status.INTERNAL, details: "no answer" }));
    },
  );
  cancelWith(call, options.signal);
  return promise;
}

async function* streaming<Q, A>(
  client: Client,
  method: Definition<Q, A>,
  request: Q,
  options: CallOptions,
): AsyncGenerator<A, void, undefined> {
  const { deadlineMs = defaultDeadlineMs } = options;
  const call: ClientReadableStream<A> = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    { deadline: Date.now() + deadlineMs },
  );
  cancelWith(call, options.signal);
  try {
    for await (const message of call) yield message as A;
  } catch (error) {
    throw error instanceof Error && "code" in error && "details" in error
      ? new CriError(method.path, error as ServiceError) // what grpc-js emits has both
      : error;
  } finally {
    call.cancel();
  }
}

function cancelWith(call: { cancel(): void }, signal: AbortSignal | undefined): void {
  if (signal?.aborted) call.cancel();
  signal?.addEventListener("abort", () => call.cancel(), { once: true });
}
