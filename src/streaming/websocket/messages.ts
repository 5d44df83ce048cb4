import { Fault } from "../../base/index.ts";
import type { ChannelProtocol } from "./protocols.ts";

/** What a client's message says. */
export type ChannelMessage =
  | { readonly is: "data"; readonly channel: number; readonly bytes: Buffer }
  | { readonly is: "close"; readonly channel: number }
  | { readonly is: "nothing" };

const closeSignal = 255;
const zero = "0".charCodeAt(0);

/** Reads a client's message. Throws Fault("invalid") for one that cannot be of this protocol. */
export function parseMessage(message: Buffer, { encoding, hasClose }: ChannelProtocol): ChannelMessage {
  const [channel] = message;
  if (channel === undefined) return { is: "nothing" };
  if (hasClose && channel === closeSignal) {
    const [, closed] = message;
    if (closed === undefined || message.length !== 2) throw new Fault("invalid", "a close signal names one channel");
    return { is: "close", channel: closed };
  }
  if (encoding === "binary") return { is: "data", channel, bytes: message.subarray(1) };
  const text = message.toString("latin1", 1);
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text))
    throw new Fault("invalid", "data that is not base64");
  return { is: "data", channel: channel - zero, bytes: Buffer.from(text, "base64") };
}

/** The message that carries `bytes` on a channel. */
export function channelMessage(channel: number, bytes: Buffer, encoding: ChannelProtocol["encoding"]): Buffer | string {
  if (encoding === "base64") return `${channel}${bytes.toString("base64")}`;
  const message = Buffer.allocUnsafe(bytes.length + 1);
  message[0] = channel;
  bytes.copy(message, 1);
  return message;
}
