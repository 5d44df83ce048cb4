import { Fault } from "../../base/index.ts";
import { type ByteOrder, decodeValues } from "./decode.ts";
import { encodeValues } from "./encode.ts";
import { type DbusValue, type Variant, variant } from "./value.ts";

/** No message of ours or of a peer may be larger: an eighth of what the specification allows, far above what systemd sends. */
export const maxMessageBytes = 16 * 1024 * 1024;

/** The part of a message that has a fixed size. */
export const fixedHeaderBytes = 16;

export interface MessageHeader {
  readonly kind: "call" | "return" | "error" | "signal";
  readonly noReply?: boolean;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  /** The serial of the call that this answers. */
  readonly replySerial?: number;
  readonly destination?: string;
  /** Set by the bus, which nobody can forge; absent on a connection without one. */
  readonly sender?: string;
}

/** A message as it came. Its body stays bytes until somebody wants it: `bodyOf`. */
export interface Message extends MessageHeader {
  readonly serial: number;
  readonly signature: string;
  readonly body: Buffer;
  readonly order: ByteOrder;
}

const kinds = ["invalid", "call", "return", "error", "signal"] as const;

const fieldCodes = {
  path: 1,
  interface: 2,
  member: 3,
  errorName: 4,
  replySerial: 5,
  destination: 6,
  sender: 7,
  signature: 8,
} as const;

const fieldTypes: Readonly<Record<keyof typeof fieldCodes, string>> = {
  path: "o",
  interface: "s",
  member: "s",
  errorName: "s",
  replySerial: "u",
  destination: "s",
  sender: "s",
  signature: "g",
};

type FieldName = keyof typeof fieldCodes;
const fieldNames = Object.keys(fieldCodes) as readonly FieldName[];

/** A whole message, little endian. Throws Fault("invalid") for values that do not fit their types. */
export function encodeMessage(
  header: MessageHeader,
  content: { readonly serial: number; readonly signature?: string; readonly values?: readonly DbusValue[] },
): Buffer {
  const { serial, signature = "", values = [] } = content;
  const body = encodeValues(signature, values);
  const all: Readonly<Record<FieldName, string | number | undefined>> = {
    path: header.path,
    interface: header.interface,
    member: header.member,
    errorName: header.errorName,
    replySerial: header.replySerial,
    destination: header.destination,
    sender: header.sender,
    signature: signature === "" ? undefined : signature,
  };
  const fields: (readonly [number, Variant])[] = [];
  for (const name of fieldNames) {
    const value = all[name];
    if (value !== undefined) fields.push([fieldCodes[name], variant(fieldTypes[name], value)]);
  }
  const start = encodeValues("yyyyuua(yv)", [
    "l".charCodeAt(0),
    kinds.indexOf(header.kind),
    header.noReply ? 1 : 0,
    1,
    body.length,
    serial,
    fields,
  ]);
  const padding = Buffer.alloc((8 - (start.length % 8)) % 8);
  const message = Buffer.concat([start, padding, body]);
  if (message.length > maxMessageBytes) throw new Fault("exhausted", `a D-Bus message of ${message.length} bytes`);
  return message;
}

/**
 * The length of the message that begins with these `fixedHeaderBytes` bytes.
 * Throws Fault("corrupt") when it cannot be one and Fault("exhausted") when it is longer than `maxMessageBytes`.
 */
export function messageLength(start: Buffer): number {
  const order = byteOrderOf(start);
  if (start.readUInt8(3) !== 1) throw new Fault("corrupt", `D-Bus: protocol version ${start.readUInt8(3)}`);
  const uint32 = (at: number) => (order === "little" ? start.readUInt32LE(at) : start.readUInt32BE(at));
  const length = fixedHeaderBytes + roundUp8(uint32(12)) + uint32(4);
  if (length > maxMessageBytes) throw new Fault("exhausted", `D-Bus: a message of ${length} bytes`);
  return length;
}

/**
 * Reads one whole message; undefined for one of a kind that the specification does not know (those are to be ignored).
 * Throws Fault("corrupt") when it is malformed.
 */
export function decodeMessage(bytes: Buffer): Message | undefined {
  const order = byteOrderOf(bytes);
  const uint32 = (at: number) => (order === "little" ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const kind = kinds[bytes.readUInt8(1)];
  if (kind === undefined) return undefined;
  if (kind === "invalid") throw new Fault("corrupt", "D-Bus: a message of kind 0");
  const fieldsEnd = fixedHeaderBytes + uint32(12);
  const [, , , , , , fields] = decodeValues("yyyyuua(yv)", bytes.subarray(0, fieldsEnd), order);
  const { signature = "", ...header } = headerFields(fields);
  return {
    kind,
    ...header,
    noReply: (bytes.readUInt8(2) & 1) !== 0,
    serial: uint32(8),
    signature,
    body: bytes.subarray(roundUp8(fieldsEnd)),
    order,
  };
}

/** The arguments of a message. Throws Fault("corrupt") when they are not what its signature says. */
export function bodyOf(message: Message): readonly DbusValue[] {
  return decodeValues(message.signature, message.body, message.order);
}

function headerFields(fields: DbusValue | undefined) {
  const found = new Map<FieldName, DbusValue>();
  for (const [code, content] of fields as readonly (readonly [number, Variant])[]) {
    const name = fieldNames.find((candidate) => fieldCodes[candidate] === code);
    if (name === undefined) continue; // the specification: ignore fields you do not know
    if (content.signature !== fieldTypes[name]) throw new Fault("corrupt", `D-Bus: header field ${name} is malformed`);
    found.set(name, content.value);
  }
  return Object.fromEntries(found) as Omit<MessageHeader, "kind" | "noReply"> & { readonly signature?: string };
}

function byteOrderOf(bytes: Buffer): ByteOrder {
  const mark = String.fromCharCode(bytes.readUInt8(0));
  if (mark === "l") return "little";
  if (mark === "B") return "big";
  throw new Fault("corrupt", `D-Bus: no message begins with ${JSON.stringify(mark)}`);
}

function roundUp8(length: number): number {
  return Math.ceil(length / 8) * 8;
}
