import { hostname } from "node:os";
import { Client, credentials } from "@grpc/grpc-js";
import { type Logger, type Operations, reasonOf, type Step } from "../../base/index.ts";
import { type Attributes, encodeExport, type Span } from "./otlp.ts";
import { type TraceSource, traceSource } from "./trace-context.ts";

export interface TracingOptions {
  /** Address and port of the collector. */
  readonly endpoint: string;
  readonly perMillion: number;
  readonly version: string;
  readonly operations: Operations;
  readonly log: Logger;
}

const exportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const scope = "crio-ts";
const intervalMs = 5_000;
const exportTimeoutMs = 10_000;
/** A batch is sent as soon as there are so many spans. */
const batchSize = 512;
/** Beyond so many, spans are dropped: a collector that is away must not cost memory. */
const queueLimit = 2048;
const longestText = 1024;

/** Makes spans of the steps of sampled operations and sends them by OTLP over gRPC, without TLS, as CRI-O does. */
export class Tracing {
  readonly traceOf: TraceSource;
  readonly #client: Client;
  readonly #options: TracingOptions;
  readonly #resource: Attributes;
  #queue: Span[] = [];
  #dropped = 0;
  #hasFailed = false;
  #sending: Promise<void> = Promise.resolve();
  readonly #timer: NodeJS.Timeout;

  /** It connects with the first spans, and again when the collector was away. */
  constructor(options: TracingOptions) {
    this.#options = options;
    this.#client = new Client(options.endpoint, credentials.createInsecure());
    this.traceOf = traceSource(options.perMillion);
    this.#resource = {
      "service.name": "crio",
      "service.version": options.version,
      "host.name": hostname(),
      "process.pid": process.pid,
    };
    options.operations.onEnd = (step, error) => this.#ended(step, error);
    this.#timer = setInterval(() => this.#flush(), intervalMs);
    this.#timer.unref();
  }

  /** Sends what there is, and ends the connection. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#options.operations.onEnd = undefined;
    this.#flush();
    await this.#sending;
    this.#client.close();
  }

  #ended(step: Step, error: unknown): void {
    if (this.#queue.length >= queueLimit) {
      this.#dropped++;
      return;
    }
    this.#queue.push(spanOf(step, error));
    if (this.#queue.length >= batchSize) this.#flush();
  }

  #flush(): void {
    this.#sending = this.#sending.then(async () => {
      const spans = this.#queue.splice(0);
      if (spans.length > 0) await this.#send(spans);
    });
  }

  /** What a collector does not take is lost; the first time after a success, the log says so. */
  async #send(spans: readonly Span[]): Promise<void> {
    const { log, endpoint } = this.#options;
    try {
      await this.#export(encodeExport(this.#resource, scope, spans));
      if (this.#dropped > 0) log.warn("spans were dropped: there were too many", { dropped: this.#dropped });
      this.#dropped = 0;
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) {
        log.warn("spans cannot be sent to the collector and are lost until they can", {
          endpoint,
          error: reasonOf(error),
        });
      }
      this.#hasFailed = true;
    }
  }

  #export(bytes: Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const asBuffer = (value: Uint8Array) => Buffer.from(value);
    const deadline = Date.now() + exportTimeoutMs;
    this.#client.makeUnaryRequest(
      exportPath,
      asBuffer,
      (answer) => answer,
      bytes,
      { deadline },
      (error) => {
        if (error === null) resolve();
        else reject(error);
      },
    );
    return promise;
  }
}

function spanOf(step: Step, error: unknown): Span {
  const { operation, parent } = step;
  const trace = operation.trace;
  return {
    traceId: trace?.traceId ?? "",
    spanId: step.spanId,
    parentSpanId: parent === undefined ? trace?.spanId : parent.spanId,
    name: step.name.slice(0, longestText),
    kind: parent === undefined ? "server" : "internal",
    startNs: epochNs(step.startedMs),
    endNs: epochNs(performance.now()),
    attributes: parent === undefined ? callAttributes(step) : waitAttributes(step),
    error: error === undefined ? undefined : reasonOf(error).slice(0, longestText),
  };
}

function callAttributes({ operation }: Step): Attributes {
  const about = [...operation.about].join(" ").slice(0, longestText);
  return {
    "rpc.system": "grpc",
    "rpc.method": operation.name,
    "crio.request.id": operation.id,
    ...(about === "" ? {} : { "crio.about": about }),
  };
}

function waitAttributes({ waitsFor }: Step): Attributes {
  switch (waitsFor?.is) {
    case "program": {
      const pid = waitsFor.pid();
      return { "process.command_line": waitsFor.command, ...(typeof pid === "number" ? { "process.pid": pid } : {}) };
    }
    case "process":
      return { "process.pid": waitsFor.pid };
    case "server":
      return { "url.full": waitsFor.url.slice(0, longestText) };
    case "lock":
      return { "crio.lock": waitsFor.what };
    default:
      return {};
  }
}

function epochNs(atMs: number): bigint {
  return BigInt(Math.round((performance.timeOrigin + atMs) * 1000)) * 1000n;
}
