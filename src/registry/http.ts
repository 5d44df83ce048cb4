import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request as sendHttp } from "node:http";
import { request as sendHttps } from "node:https";
import { urlToHttpOptions } from "node:url";
import { networkFault, stallFault } from "./failure.ts";
import { urlText } from "./words.ts";

/** How long silence is borne. */
export interface Patience {
  /** Until the request has been sent: connecting, TLS, proxies. */
  readonly connectTimeoutMs: number;
  /** Until the answer begins, and between its parts while somebody waits for them. */
  readonly stallTimeoutMs: number;
}

export interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly agent: Agent;
  readonly patience: Patience;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly url: URL;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /**
   * The body, once. Nothing is read ahead of the reader beyond one socket buffer. Rejects with a RegistryFault of kind
   * network when the connection breaks or stalls, with the signal's reason when it aborts.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** Gives the connection up unless the body has been read to its end. Whoever does not read the body must call it. */
  close(): void;
}

/**
 * One HTTP/1.1 request; the answer's head is what is waited for. User information in the URL is not sent.
 * Aborting the signal destroys the socket at once, while the body is read too.
 */
export function httpRequest(url: URL, request: HttpRequest): Promise<HttpResponse> {
  const { signal, patience } = request;
  const what = `${request.method} ${urlText(url)}`;
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
  if (signal.aborted) return Promise.reject(signal.reason);

  const { auth: _, ...target } = urlToHttpOptions(url);
  const send = url.protocol === "https:" ? sendHttps : sendHttp;
  const { method, headers, agent } = request;
  const sent = send({ ...target, method, headers, agent, maxHeaderSize: 64 * 1024 });

  let hasAnswer = false;
  const guard = new Guard(signal, (reason) => {
    reject(reason);
    sent.destroy();
  });
  guard.expect(patience.connectTimeoutMs, () =>
    stallFault(what, `not connected after ${seconds(patience.connectTimeoutMs)}`),
  );
  // the last byte of the request has left: connected, and through with TLS
  sent.on("finish", () => {
    if (hasAnswer) return;
    guard.expect(patience.stallTimeoutMs, () =>
      stallFault(what, `no answer within ${seconds(patience.stallTimeoutMs)}`),
    );
  });
  // after the parser's own listener, so that it has taken what it wants
  sent.on("socket", (socket) => socket.on("data", freeWhatWasParsed));
  sent.on("error", (error) => {
    guard.release();
    reject(networkFault(what, error));
  });
  sent.on("response", (message) => {
    hasAnswer = true;
    const { socket } = message;
    message.once("close", () => socket.off("data", freeWhatWasParsed)); // it may serve other requests
    guard.hold((reason) => message.destroy(asError(reason)));
    resolve({
      url,
      status: message.statusCode ?? 0,
      headers: message.headers,
      body: bodyOf(message, guard, what, patience),
      close() {
        guard.release();
        if (!message.readableEnded) message.destroy();
      },
    });
  });
  sent.end(request.body);
  return promise;
}

/**
 * Frees the bytes of a connection once Node's parser has copied the body out of them. Left to the garbage collector they pile up by
 * tens of megabytes, and make it run every tenth of a second in a large download.
 */
function freeWhatWasParsed(bytes: Buffer): void {
  const { buffer, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

async function* bodyOf(
  message: IncomingMessage,
  guard: Guard,
  what: string,
  { stallTimeoutMs }: Patience,
): AsyncGenerator<Uint8Array, void, undefined> {
  // Node types the chunks as any; without an encoding set they are Buffers
  const chunks: AsyncIterator<Buffer> = message[Symbol.asyncIterator]();
  const next = async (): Promise<IteratorResult<Buffer>> => {
    guard.expect(stallTimeoutMs, () => stallFault(what, `no data for ${seconds(stallTimeoutMs)}`));
    try {
      return await chunks.next();
    } catch (error) {
      throw guard.reason ?? networkFault(what, error);
    } finally {
      guard.rest();
    }
  };
  try {
    for (let part = await next(); part.done !== true; part = await next()) yield part.value;
  } finally {
    guard.release();
    if (!message.readableEnded) message.destroy();
  }
}

/** Ends an exchange when its signal aborts or what is expected does not come in time. Keeps why. */
class Guard {
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;
  #end: (reason: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #isReleased = false;
  /** Why it was ended; undefined while it was not. */
  reason: unknown;

  constructor(signal: AbortSignal, end: (reason: unknown) => void) {
    this.#signal = signal;
    this.#end = end;
    this.#onAbort = () => this.#fire(signal.reason);
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** From now on, `end` is how to end it; and nothing is expected for now. */
  hold(end: (reason: unknown) => void): void {
    this.#end = end;
    this.rest();
  }

  /** Something must happen within `ms`. Replaces what was expected before. */
  expect(ms: number, fault: () => Error): void {
    this.rest();
    if (!this.#isReleased) this.#timer = setTimeout(() => this.#fire(fault()), ms);
  }

  rest(): void {
    clearTimeout(this.#timer);
  }

  release(): void {
    this.#isReleased = true;
    this.rest();
    this.#signal.removeEventListener("abort", this.#onAbort);
  }

  #fire(reason: unknown): void {
    this.reason ??= reason;
    this.release();
    this.#end(reason);
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
