import { isUtf8 } from "node:buffer";
import { status } from "@grpc/grpc-js";
import { messages, requests } from "./generated/shapes.ts";
import { RpcFault } from "./status.ts";

/*
 * What a request is made of, looked at before it is decoded. The generated decoder is lenient: it takes a stray end of a group for the
 * end of a message and reads on in the one around it, and makes U+FFFD of what is no text; and it makes an object of every two bytes.
 */

/** Text in a request, together. etcd takes no object above 1.5 MiB, and the kubelet's own messages end at 16 MiB. */
const maxTextBytes = 8 << 20;
/** Messages in a request: a pod that is told of 5000 services has 35 000 variables in its environment. */
const maxMessages = 50_000;
/** All fields of a request, its repeated numbers one by one. */
const maxFields = 250_000;
const maxDepth = 32;

/**
 * Throws an RpcFault for a request that is no message of the call at `path` (Internal, as gRPC for Go says it) or that holds more than any
 * request has use for (InvalidArgument). Fields of a newer API pass.
 */
export function checkRequest(path: string, bytes: Uint8Array): void {
  const message = requests[path];
  if (message === undefined) throw new Error(`no call ${path}`);
  checkMessage(bytes, { message, start: 0, end: bytes.length, depth: 0 }, { text: 0, messages: 0, fields: 0 });
}

interface Part {
  readonly message: string;
  readonly start: number;
  readonly end: number;
  readonly depth: number;
}

interface Counts {
  text: number;
  messages: number;
  fields: number;
}

function checkMessage(bytes: Uint8Array, { message, start, end, depth }: Part, counts: Counts): void {
  const fields = messages[message];
  if (fields === undefined) throw new Error(`no message ${message}`);
  if (++counts.messages > maxMessages) throw tooMuch(`more than ${maxMessages} messages`);
  if (depth > maxDepth) throw malformed("messages within messages without end");
  let at = start;
  while (at < end) {
    if (++counts.fields > maxFields) throw tooMuch(`more than ${maxFields} fields`);
    const tag = readVarint(bytes, at, end);
    at = tag.next;
    const number = Math.floor(tag.value / 8);
    if (number < 1 || number > 0x1fff_ffff) throw malformed(`a field of number ${number}`);
    switch (tag.value % 8) {
      case 0:
        at = readVarint(bytes, at, end).next;
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = readVarint(bytes, at, end);
        at = length.next + length.value;
        if (at > end) throw malformed(`a length of ${length.value} bytes where ${end - length.next} are left`);
        checkValue(
          bytes,
          { message: fields[number] ?? "unknown", start: length.next, end: at, depth: depth + 1 },
          counts,
        );
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        // Groups: no version of CRI has had any.
        throw malformed(`wire type ${tag.value % 8}`);
    }
    if (at > end) throw malformed("a number beyond the end");
  }
}

function checkValue(bytes: Uint8Array, part: Part, counts: Counts): void {
  const { message: shape, start, end } = part;
  switch (shape) {
    case "unknown":
      return;
    case "string":
    case "bytes":
      counts.text += end - start;
      if (counts.text > maxTextBytes) throw tooMuch(`more than ${maxTextBytes} bytes of text`);
      if (shape === "string" && !isUtf8(bytes.subarray(start, end))) throw malformed("a string that is not UTF-8");
      return;
    case "varint":
      // A list of numbers, packed.
      for (let at = start; at < end; at = readVarint(bytes, at, end).next) {
        if (++counts.fields > maxFields) throw tooMuch(`more than ${maxFields} fields`);
      }
      return;
    default:
      checkMessage(bytes, part, counts);
  }
}

/** The value is exact below 2^53, as those of tags and lengths in memory are. */
function readVarint(bytes: Uint8Array, start: number, end: number): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let index = 0; index < 10; index++) {
    const byte = start + index < end ? bytes[start + index] : undefined;
    if (byte === undefined) throw malformed("a number beyond the end");
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) {
      if (index === 9 && byte > 1) break;
      return { value, next: start + index + 1 };
    }
  }
  throw malformed("a number of more than 64 bits");
}

function malformed(what: string): RpcFault {
  return new RpcFault(status.INTERNAL, `the request cannot be decoded: ${what}`);
}

function tooMuch(what: string): RpcFault {
  return new RpcFault(status.INVALID_ARGUMENT, `the request holds ${what}`);
}
