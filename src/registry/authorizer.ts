import type { IncomingHttpHeaders } from "node:http";
import { Fault, untilAborted } from "../base/index.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { basicAuthorization, type Credential, secretsOf } from "./credential.ts";
import { contentFault } from "./failure.ts";
import { remembered } from "./remembered.ts";
import type { TokenCache, TokenRequest } from "./tokens.ts";
import type { Wire } from "./wires.ts";
import { urlText } from "./words.ts";

export interface AuthorizerDeps {
  readonly tokens: TokenCache;
  /** Asked once, when the registry first demands authorization. Has a deadline of its own. */
  readonly credential: () => Promise<Credential | undefined>;
  /** What a token is asked for with, besides what the challenge and the credential say. */
  readonly request: Pick<TokenRequest, "scope" | "patience" | "userAgent">;
}

/** Holds what one registry was shown last, and answers its challenges. */
export class Authorizer {
  readonly #deps: AuthorizerDeps;
  readonly #credential: () => Promise<Credential | undefined>;
  #header: string | undefined;
  readonly #secrets = new Set<string>();
  #isAnonymous = true;
  #origin: string | undefined;

  constructor(deps: AuthorizerDeps) {
    this.#deps = deps;
    this.#credential = remembered(deps.credential);
  }

  /** The value of `Authorization` for the next request. */
  get header(): string | undefined {
    return this.#header;
  }

  /** What must not appear in any text. */
  get secrets(): Iterable<string> {
    return this.#secrets;
  }

  /** Whether no credential was found for this registry, as far as it was asked for. */
  get isAnonymous(): boolean {
    return this.#isAnonymous;
  }

  /** Where the credential was found that the registry is shown. */
  get origin(): string | undefined {
    return this.#origin;
  }

  /**
   * Takes a 401 to a request that was sent with `sent`. Resolves true when another try with `header` makes sense.
   * Rejects when the credential cannot be looked up, or the token server refuses or fails.
   */
  async answer(
    headers: IncomingHttpHeaders,
    sent: string | undefined,
    { wire, signal }: { readonly wire: Wire; readonly signal: AbortSignal },
  ): Promise<boolean> {
    if (this.#header !== sent) return true; // somebody else has answered meanwhile
    const challenges = parseChallenges(headers["www-authenticate"] ?? "");
    const find = (scheme: string) => challenges.find((challenge) => challenge.scheme === scheme);
    const [bearer, basic] = [find("bearer"), find("basic")];
    if (bearer === undefined && basic === undefined) return false;
    const credential = await this.#lookUp(signal);
    const header =
      bearer === undefined ? basicOf(credential) : await this.#bearer({ bearer, credential, sent, wire, signal });
    if (header === undefined || header === sent) return false;
    this.#secrets.add(header.replace(/^\S+ /, ""));
    this.#header = header;
    return true;
  }

  async #lookUp(signal: AbortSignal): Promise<Credential | undefined> {
    const credential = await untilAborted(this.#credential(), signal);
    this.#isAnonymous = credential === undefined;
    this.#origin = credential?.origin;
    if (credential !== undefined) for (const secret of secretsOf(credential)) this.#secrets.add(secret);
    return credential;
  }

  async #bearer({
    bearer,
    credential,
    sent,
    wire,
    signal,
  }: {
    readonly bearer: Challenge;
    readonly credential: Credential | undefined;
    readonly sent: string | undefined;
    readonly wire: Wire;
    readonly signal: AbortSignal;
  }): Promise<string> {
    const { tokens, request } = this.#deps;
    const realm = realmOf(bearer, wire.insecure);
    const service = bearer.params.get("service") ?? "";
    const rejected = sent?.startsWith("Bearer ") === true ? sent.slice("Bearer ".length) : undefined;
    return `Bearer ${await tokens.token({ ...request, realm, service, credential, wire }, rejected, signal)}`;
  }
}

function basicOf(credential: Credential | undefined): string | undefined {
  return credential === undefined || credential.username === "" ? undefined : basicAuthorization(credential);
}

/** Credentials go to the realm: it must be HTTPS unless the registry itself may do without. */
function realmOf(challenge: Challenge, insecure: boolean): URL {
  const text = challenge.params.get("realm") ?? "";
  if (!URL.canParse(text)) throw contentFault("the registry names no token server (realm) in its challenge", "failed");
  const realm = new URL(text);
  if (realm.protocol !== "https:" && !(realm.protocol === "http:" && insecure)) {
    throw new Fault("denied", `the registry's token server ${urlText(realm)} is refused: it does not use HTTPS`);
  }
  if (realm.username !== "" || realm.password !== "") {
    throw contentFault(`the registry's token server ${urlText(realm)} is refused: its URL names a user`, "failed");
  }
  return realm;
}
