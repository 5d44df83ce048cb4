import type { StatusFormat } from "../status.ts";

/** How a WebSocket subprotocol of Kubernetes puts several streams into one connection. */
export interface ChannelProtocol {
  /** Binary messages, a byte with the channel's number first; or text, a digit first and the rest in base64. */
  readonly encoding: "binary" | "base64";
  readonly statusFormat: StatusFormat;
  /** Whether `[255, channel]` is the client's end of a channel. The others have no way to say it. */
  readonly hasClose: boolean;
}

/** For exec and attach. A client that asks for none gets the first version, which has the name "". */
export const commandProtocols: ReadonlyMap<string, ChannelProtocol> = new Map([
  ["v5.channel.k8s.io", { encoding: "binary", statusFormat: "json", hasClose: true }],
  ["v4.channel.k8s.io", { encoding: "binary", statusFormat: "json", hasClose: false }],
  ["v4.base64.channel.k8s.io", { encoding: "base64", statusFormat: "json", hasClose: false }],
  ["channel.k8s.io", { encoding: "binary", statusFormat: "text", hasClose: false }],
  ["base64.channel.k8s.io", { encoding: "base64", statusFormat: "text", hasClose: false }],
  ["", { encoding: "binary", statusFormat: "text", hasClose: false }],
]);

/** For port-forward with channels. */
export const forwardProtocols: ReadonlyMap<string, ChannelProtocol> = new Map([
  ["v4.channel.k8s.io", { encoding: "binary", statusFormat: "text", hasClose: false }],
  ["v4.base64.channel.k8s.io", { encoding: "base64", statusFormat: "text", hasClose: false }],
  ["", { encoding: "binary", statusFormat: "text", hasClose: false }],
]);

/** SPDY within WebSocket messages, which kubectl and crictl use for port-forward (KEP-4006). */
export const tunnelProtocol = "SPDY/3.1+portforward.k8s.io";

/** The first of the client's subprotocols that is among ours; undefined when none is. None at all means "". */
export function chooseProtocol(offered: string | undefined, ours: readonly string[]): string | undefined {
  const names = (offered ?? "").split(",").map((name) => name.trim());
  return names.find((name) => ours.includes(name));
}
