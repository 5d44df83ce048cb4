import { Fault } from "../base/index.ts";

/** What a registry is shown. Never logged, never part of an error. */
export interface Credential {
  readonly username: string;
  readonly password: string;
  /** An OAuth2 refresh token, used instead of the password with registries that hand out bearer tokens. */
  readonly identityToken?: string;
  /** Where it was found, for errors: `auth file /run/…`; undefined where nobody has said. */
  readonly origin?: string;
}

/**
 * The credential in `auth`, which is base64 of `user:password` as in auth.json and the kubelet's request. NUL characters
 * around the password are dropped. Undefined without a colon or a user. Throws Fault("invalid") on bad base64; `what` names
 * its origin.
 */
export function credentialFromAuth(auth: string, what: string): Credential | undefined {
  const compact = auth.replace(/[\r\n]/g, "");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(compact) || compact.length % 4 !== 0) {
    throw new Fault("invalid", `${what} is not valid base64`);
  }
  const text = Buffer.from(compact, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 1) return undefined;
  return { username: text.slice(0, colon), password: withoutOuterNuls(text.slice(colon + 1)) };
}

/** The credential of a CRI AuthConfig: `auth` before `username` and `password`; undefined when it names no user. */
export function credentialFromRequest(request: {
  readonly auth: string;
  readonly username: string;
  readonly password: string;
}): Credential | undefined {
  if (request.auth !== "") return credentialFromAuth(request.auth, "the auth of the pull request");
  return request.username === "" ? undefined : { username: request.username, password: request.password };
}

/** The value of an `Authorization` header. */
export function basicAuthorization(credential: Credential): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString("base64")}`;
}

/** The end of an error: whose credentials a registry or a token server has refused. */
export function shownFrom(origin: string | undefined): string {
  return origin === undefined ? "" : `; it was shown the credentials of ${origin}`;
}

/** Every form in which a credential travels, to be kept out of error texts. */
export function secretsOf(credential: Credential): readonly string[] {
  const basic = basicAuthorization(credential).slice("Basic ".length);
  const plain = [credential.password, credential.identityToken ?? ""].filter((secret) => secret !== "");
  return [...plain, ...plain.map(encodeURIComponent), basic];
}

function withoutOuterNuls(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text[start] === "\0") start++;
  while (end > start && text[end - 1] === "\0") end--;
  return text.slice(start, end);
}
