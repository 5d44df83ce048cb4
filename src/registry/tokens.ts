import { createHmac, randomBytes } from "node:crypto";
import { deadline, Flight, untilAborted } from "../base/index.ts";
import { type JsonObject, jsonField, jsonText, parseJsonObject } from "../oci/index.ts";
import { readBody } from "./body.ts";
import { basicAuthorization, type Credential, secretsOf, shownFrom } from "./credential.ts";
import { contentFault, RegistryFault } from "./failure.ts";
import { getFollowing } from "./follow.ts";
import { type HttpResponse, httpRequest, type Patience } from "./http.ts";
import { statusFault } from "./status-fault.ts";
import type { Wire } from "./wires.ts";
import { urlText } from "./words.ts";

const maxTokenAnswerBytes = 1024 * 1024;
const maxTokens = 1000;
/** What the specification says when the server says nothing, and the least that is believed. */
const minLifetimeS = 60;
const fetchTimeoutMs = 120_000;

export interface TokenRequest {
  /** The token server, checked. */
  readonly realm: URL;
  readonly service: string;
  /** `repository:<path>:pull` */
  readonly scope: string;
  /** Undefined asks for an anonymous token. */
  readonly credential: Credential | undefined;
  readonly wire: Wire;
  readonly patience: Patience;
  readonly userAgent: string;
}

/**
 * Bearer tokens by token server, service, scope and credential, until shortly before they expire. One pull's token never
 * serves another's credential. Credentials themselves are not kept: the key is a keyed hash.
 */
export class TokenCache {
  readonly #tokens = new Map<string, { readonly token: string; readonly goodUntilMs: number }>();
  readonly #flights = new Flight<string, string>();
  readonly #hashKey = randomBytes(32);
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** A token other than `rejected`, from the cache or the server. Rejects with a RegistryFault. */
  async token(request: TokenRequest, rejected: string | undefined, signal: AbortSignal): Promise<string> {
    const key = this.#keyOf(request);
    const known = this.#tokens.get(key);
    if (known !== undefined && known.token !== rejected && known.goodUntilMs > this.#nowMs()) return known.token;
    this.#tokens.delete(key);
    return untilAborted(
      this.#flights.join(key, () => this.#fetch(request, key)),
      signal,
    );
  }

  async #fetch(request: TokenRequest, key: string): Promise<string> {
    using signal = deadline(fetchTimeoutMs, `asking ${urlText(request.realm)} for a token`);
    const { token, lifetimeS } = await fetchToken(request, signal);
    const goodUntilMs = this.#nowMs() + (lifetimeS - Math.min(30, lifetimeS / 5)) * 1000;
    this.#tokens.set(key, { token, goodUntilMs });
    for (const oldest of this.#tokens.keys()) {
      if (this.#tokens.size <= maxTokens) break;
      this.#tokens.delete(oldest);
    }
    return token;
  }

  #keyOf({ realm, service, scope, credential, wire }: TokenRequest): string {
    const parts = [realm.href, service, scope, wire.insecure, credential];
    return createHmac("sha256", this.#hashKey).update(JSON.stringify(parts)).digest("hex");
  }
}

async function fetchToken(
  request: TokenRequest,
  signal: AbortSignal,
): Promise<{ readonly token: string; readonly lifetimeS: number }> {
  const what = `asking ${urlText(request.realm)} for a token`;
  const response = await sendTokenRequest(request, signal);
  if (response.status !== 200) {
    const secrets = request.credential === undefined ? [] : secretsOf(request.credential);
    const hint = shownFrom(request.credential?.origin);
    const fault = await statusFault(response, { what, notFound: "no such token server", secrets, hint });
    // only the registry itself can say that there is no such image
    throw new RegistryFault(fault.code === "denied" ? "denied" : "failed", fault.message, fault.failure);
  }
  const body = parseJsonObject(
    await readBody(response, maxTokenAnswerBytes, "the token"),
    `${what}: its answer`,
    maxTokenAnswerBytes,
  );
  const text = (field: string) => jsonText(body, field, what) ?? "";
  const token = text("token") || text("access_token");
  // anything else could not be sent in a header, or would be more than one
  if (!/^[\x21-\x7e]{1,60000}$/.test(token)) throw contentFault(`${what}: its answer has no usable token`, "failed");
  return { token, lifetimeS: lifetimeS(body) };
}

/** GET by the Docker token specification; POST by OAuth2 when there is a refresh token. */
function sendTokenRequest(request: TokenRequest, signal: AbortSignal): Promise<HttpResponse> {
  const { credential, wire, patience, service, scope } = request;
  const headers = { "user-agent": request.userAgent, accept: "application/json" };
  const url = new URL(request.realm);
  if (credential?.identityToken !== undefined) {
    const form = {
      grant_type: "refresh_token",
      service,
      scope,
      client_id: "crio-ts",
      refresh_token: credential.identityToken,
    };
    return httpRequest(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(form).toString(),
      agent: wire.agentFor(url),
      patience,
      signal,
    });
  }
  if (service !== "") url.searchParams.set("service", service);
  url.searchParams.append("scope", scope);
  if (credential !== undefined) url.searchParams.set("account", credential.username);
  const authorization = credential === undefined ? undefined : basicAuthorization(credential);
  return getFollowing(url, { headers, authorization, wire, patience, signal });
}

function lifetimeS(body: JsonObject): number {
  const seconds = jsonField(body, "expires_in");
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) return minLifetimeS;
  return Math.min(Math.max(seconds, minLifetimeS), 24 * 3600);
}
