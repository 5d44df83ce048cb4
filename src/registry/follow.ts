import { readBodyStart } from "./body.ts";
import { contentFault } from "./failure.ts";
import { type HttpResponse, httpRequest, type Patience } from "./http.ts";
import type { Wire } from "./wires.ts";
import { urlText } from "./words.ts";

const maxRedirects = 10;
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export interface GetOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** The value of `Authorization`; only ever sent to the origin of the first URL. */
  readonly authorization: string | undefined;
  readonly wire: Wire;
  readonly patience: Patience;
  readonly signal: AbortSignal;
}

/**
 * GET with redirects, at most 10. Once a redirect leaves the first URL's origin the authorization is gone for good; from
 * HTTPS to HTTP goes none unless the endpoint is insecure. Resolves for any other status.
 */
export async function getFollowing(first: URL, options: GetOptions): Promise<HttpResponse> {
  const { wire, patience, signal } = options;
  let [url, authorization] = [first, options.authorization];
  for (let redirects = 0; ; redirects++) {
    const headers = { ...options.headers, ...(authorization !== undefined && { authorization }) };
    const response = await httpRequest(url, { method: "GET", headers, agent: wire.agentFor(url), patience, signal });
    const location = response.headers.location;
    if (!redirectStatuses.has(response.status) || location === undefined) return response;
    await readBodyStart(response, 64 * 1024);
    if (redirects === maxRedirects)
      throw contentFault(`GET ${urlText(first)}: more than ${maxRedirects} redirects`, "failed");
    url = redirectTarget(url, location, wire);
    if (url.origin !== first.origin) authorization = undefined;
  }
}

function redirectTarget(from: URL, location: string, wire: Wire): URL {
  const what = `GET ${urlText(from)}: redirected to`;
  if (!URL.canParse(location, from)) throw contentFault(`${what} something that is no URL`, "failed");
  const to = new URL(location, from);
  if (to.protocol !== "https:" && to.protocol !== "http:") {
    throw contentFault(`${what} a ${to.protocol} URL, which is refused`, "failed");
  }
  if (from.protocol === "https:" && to.protocol === "http:" && !wire.insecure) {
    throw contentFault(`${what} ${urlText(to)}, without TLS, which is refused`, "failed");
  }
  return to;
}
