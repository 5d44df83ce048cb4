/** The URL without user, password, query and fragment: presigned URLs carry credentials there. */
export function urlText(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/**
 * Somebody else's words made fit for a log line: no control or formatting characters, white space folded, no user
 * information in URLs, at most `maxLength` characters.
 */
export function printable(text: string, maxLength = 300): string {
  const line = text
    .slice(0, 8 * maxLength)
    .replace(/[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ")
    .replace(/:\/\/[^/@\s]*@/g, "://")
    .trim();
  return line.length > maxLength ? `${line.slice(0, maxLength)}…` : line;
}

/** `text` with every secret replaced: a registry may echo what it was sent. */
export function withoutSecrets(text: string, secrets: Iterable<string>): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret.length >= 4) clean = clean.replaceAll(secret, "<secret>");
  }
  return clean;
}
