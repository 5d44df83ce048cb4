import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Who may read a repository. */
export type AuthMode =
  | { readonly is: "none" }
  | { readonly is: "basic"; readonly user: string; readonly password: string }
  /** Tokens from this registry's own `/token`; anonymous ones too when no user is named. */
  | { readonly is: "bearer"; readonly user?: string; readonly password?: string; readonly lifetimeSeconds?: number };

export interface AuthRule {
  /** Repositories that begin with this. */
  readonly prefix: string;
  readonly mode: AuthMode;
}

const service = "crio-ts-registry";

/** Checks credentials and hands out tokens, each good for the scopes that were asked for. */
export class Authority {
  #rules: readonly AuthRule[] = [];
  readonly #tokens = new Map<string, { readonly scopes: readonly string[]; readonly expires: number }>();

  /** Replaces all rules; tokens already handed out are void. */
  set(rules: readonly AuthRule[]): void {
    this.#rules = rules.toSorted((a, b) => b.prefix.length - a.prefix.length);
    this.#tokens.clear();
  }

  /** The challenge for a request that may not read the repository, or undefined for one that may. */
  challenge(request: IncomingMessage, repository: string, baseUrl: string): string | undefined {
    const mode = this.#modeOf(repository);
    const header = request.headers.authorization ?? "";
    if (mode.is === "none") return undefined;
    if (mode.is === "basic") return isUser(header, mode.user, mode.password) ? undefined : `Basic realm="${service}"`;
    const scope = `repository:${repository}:pull`;
    if (this.#isGood(header.replace(/^Bearer /, ""), scope)) return undefined;
    return `Bearer realm="${baseUrl}/token",service="${service}",scope="${scope}"`;
  }

  /** The challenge for the API's root, where clients learn how this registry wants to be asked: that of the first rule. */
  pingChallenge(request: IncomingMessage, baseUrl: string): string | undefined {
    const asksFor = this.#rules.find((rule) => rule.mode.is !== "none")?.mode.is;
    if (asksFor === undefined || request.headers.authorization !== undefined) return undefined;
    return asksFor === "basic" ? `Basic realm="${service}"` : `Bearer realm="${baseUrl}/token",service="${service}"`;
  }

  /** Answers a token request: a token, or undefined where the credentials are wrong. */
  token(request: IncomingMessage, url: URL): { readonly token: string; readonly expires_in: number } | undefined {
    const scopes = url.searchParams.getAll("scope").flatMap((scope) => scope.split(" "));
    const header = request.headers.authorization ?? "";
    let lifetimeSeconds = 300;
    for (const scope of scopes) {
      const mode = this.#modeOf(scope.split(":")[1] ?? "");
      if (mode.is !== "bearer") continue;
      if (mode.user !== undefined && !isUser(header, mode.user, mode.password ?? "")) return undefined;
      lifetimeSeconds = mode.lifetimeSeconds ?? lifetimeSeconds;
    }
    const token = randomBytes(24).toString("base64url");
    this.#tokens.set(token, { scopes, expires: Date.now() + lifetimeSeconds * 1000 });
    return { token, expires_in: lifetimeSeconds };
  }

  #modeOf(repository: string): AuthMode {
    return this.#rules.find((rule) => repository.startsWith(rule.prefix))?.mode ?? { is: "none" };
  }

  #isGood(token: string, scope: string): boolean {
    const known = this.#tokens.get(token);
    return known !== undefined && known.expires > Date.now() && known.scopes.some((each) => grants(each, scope));
  }
}

/** Whether a scope that was asked for, such as `repository:a/b:pull,push`, covers `repository:a/b:pull`. */
function grants(asked: string, needed: string): boolean {
  const [kind, name, actions = ""] = asked.split(":");
  const [neededKind, neededName, neededAction = ""] = needed.split(":");
  return kind === neededKind && name === neededName && actions.split(",").includes(neededAction);
}

function isUser(header: string, user: string, password: string): boolean {
  return header === `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}
