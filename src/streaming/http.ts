import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** Why a request is not served, in HTTP. */
export interface Refusal {
  readonly status: 400 | 403 | 404 | 405 | 429 | 503;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const reasonPhrases: Readonly<Record<Refusal["status"], string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  429: "Too Many Requests",
  503: "Service Unavailable",
};

/** The answer to a request as bytes, for a connection that HTTP has let go of; it is closed after it. */
export function refuse(socket: Duplex, { status, text, headers = {} }: Refusal): void {
  const lines = [
    `HTTP/1.1 ${status} ${reasonPhrases[status]}`,
    "Content-Type: text/plain; charset=utf-8",
    "X-Content-Type-Options: nosniff",
    `Content-Length: ${Buffer.byteLength(text) + 1}`,
    "Connection: close",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  if (socket.writable) socket.end(`${lines.join("\r\n")}\r\n\r\n${text}\n`);
  // Closed without reading, the kernel would throw our answer away together with what the client sent.
  socket.resume();
}

/** The answer that turns a connection into SPDY. `protocol` is undefined when the client named none. */
export function switchToSpdy(socket: Duplex, protocol: string | undefined): void {
  const chosen = protocol === undefined ? [] : [`X-Stream-Protocol-Version: ${protocol}`];
  const lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: SPDY/3.1", ...chosen];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
}

/** What a request wants its connection to become. */
export function upgradeOf(request: IncomingMessage): "websocket" | "spdy" | undefined {
  const upgrade = (request.headers.upgrade ?? "").toLowerCase();
  if (upgrade === "websocket") return "websocket";
  return upgrade.includes("spdy/3.1") ? "spdy" : undefined;
}

/** The values of a header that may be a list and may be there several times. */
export function listOf(value: string | string[] | undefined): readonly string[] {
  const lines = value === undefined ? [] : [value].flat();
  return lines.flatMap((line) => line.split(",")).flatMap((name) => name.trim() || []);
}
