import { Fault, reasonOf, untilAborted } from "../base/index.ts";
import { Authorizer, type AuthorizerDeps } from "./authorizer.ts";
import { readBodyStart } from "./body.ts";
import { shownFrom } from "./credential.ts";
import type { Endpoint } from "./endpoints.ts";
import { RegistryFault, registryFailureOf } from "./failure.ts";
import { getFollowing } from "./follow.ts";
import type { HttpResponse, Patience } from "./http.ts";
import { statusFault } from "./status-fault.ts";
import type { Wire } from "./wires.ts";

/** Whether an insecure registry was reached by HTTPS or HTTP, kept over pulls. */
export type KnownSchemes = Map<string, "https" | "http">;

export interface SessionOptions extends Pick<AuthorizerDeps, "tokens" | "credential"> {
  readonly endpoint: Endpoint;
  /** Asked at the first request: a mirror with broken certificate files must not fail the others. */
  readonly wire: () => Promise<Wire>;
  readonly patience: Patience;
  readonly userAgent: string;
  readonly schemes: KnownSchemes;
}

export interface SessionRequest {
  /** The step, for errors. */
  readonly what: string;
  /** What a 404 without words means. */
  readonly notFound: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

const maxAnswers = 2;
const maxKnownSchemes = 1000;

/** One pull's conversation with one endpoint: knows its scheme and what it has been shown as authorization. */
export class RegistrySession {
  readonly endpoint: Endpoint;
  readonly #options: SessionOptions;
  readonly #authorizer: Authorizer;

  constructor(options: SessionOptions) {
    const { endpoint, patience, userAgent, tokens, credential } = options;
    this.endpoint = endpoint;
    this.#options = options;
    const scope = `repository:${endpoint.reference.path}:pull`;
    this.#authorizer = new Authorizer({ tokens, credential, request: { scope, patience, userAgent } });
  }

  /** How the endpoint is reached. */
  wire(): Promise<Wire> {
    return this.#options.wire();
  }

  /**
   * GET `/v2/<repository>/<path>`; resolves with the answer when it is 2xx, after redirects and authorization.
   * Rejects with a RegistryFault for other answers and broken connections; nothing is retried here.
   */
  async get(path: string, request: SessionRequest): Promise<HttpResponse> {
    const { endpoint, schemes } = this.#options;
    if (!endpoint.insecure) return this.#getBy("https", path, request);
    const known = schemes.get(endpoint.host);
    if (known !== undefined) return this.#getByKnown(known, path, request);
    try {
      const response = await this.#getBy("https", path, request);
      this.#remember("https");
      return response;
    } catch (error) {
      request.signal.throwIfAborted();
      if (registryFailureOf(error)?.is !== "network") throw error;
      return this.#getInsecurely(path, request, error);
    }
  }

  /** What is known may have changed: a server that expects TLS breaks the connection or calls it a bad request. */
  async #getByKnown(scheme: "https" | "http", path: string, request: SessionRequest): Promise<HttpResponse> {
    try {
      return await this.#getBy(scheme, path, request);
    } catch (error) {
      const failure = registryFailureOf(error);
      const isForgotten = failure?.is === "network" || (failure?.is === "status" && failure.status === 400);
      if (isForgotten) this.#options.schemes.delete(this.endpoint.host);
      throw error;
    }
  }

  async #getInsecurely(path: string, request: SessionRequest, overTls: unknown): Promise<HttpResponse> {
    try {
      const response = await this.#getBy("http", path, request);
      this.#remember("http");
      return response;
    } catch (error) {
      request.signal.throwIfAborted();
      if (!(error instanceof RegistryFault)) throw error;
      if (error.failure.is === "status") this.#remember("http");
      if (error.failure.is !== "network") throw error;
      const { code, message, failure } = error;
      throw new RegistryFault(code, `${message}; and by HTTPS: ${reasonOf(overTls)}`, failure, { cause: error });
    }
  }

  #remember(scheme: "https" | "http"): void {
    const { schemes, endpoint } = this.#options;
    if (schemes.size >= maxKnownSchemes) schemes.clear();
    schemes.set(endpoint.host, scheme);
  }

  async #getBy(scheme: "https" | "http", path: string, request: SessionRequest): Promise<HttpResponse> {
    const { patience, userAgent, endpoint } = this.#options;
    const { signal } = request;
    const url = urlOf(scheme, endpoint, path);
    const wire = await untilAborted(this.#options.wire(), signal);
    const headers = { "user-agent": userAgent, ...request.headers };
    for (let answers = 0; ; answers++) {
      const authorization = this.#authorizer.header;
      const response = await getFollowing(url, { headers, authorization, wire, patience, signal });
      if (response.status >= 200 && response.status < 300) return response;
      const isOurs = response.status === 401 && response.url.origin === url.origin;
      if (!isOurs || answers === maxAnswers) throw await this.#refusal(response, request);
      const isWorthIt = await this.#authorizer
        .answer(response.headers, authorization, { wire, signal })
        .catch((error: unknown) => {
          response.close();
          throw error;
        });
      if (!isWorthIt) throw await this.#refusal(response, request);
      await readBodyStart(response, 64 * 1024);
    }
  }

  #refusal(response: HttpResponse, { what, notFound }: SessionRequest): Promise<RegistryFault> {
    const { secrets, isAnonymous, origin } = this.#authorizer;
    const isDenial = response.status === 401 || response.status === 403;
    const used = isAnonymous ? `; no credentials for ${this.endpoint.reference.domain} were given` : shownFrom(origin);
    const hint = isDenial ? used : "";
    return statusFault(response, { what, notFound, secrets, hint });
  }
}

function urlOf(scheme: string, { host, reference }: Endpoint, path: string): URL {
  const text = `${scheme}://${host}/v2/${reference.path}/${path}`;
  // the grammar of references allows hosts that URLs do not, such as port 99999
  if (!URL.canParse(text)) throw new Fault("invalid", `${JSON.stringify(host)} is not the address of a registry`);
  return new URL(text);
}
