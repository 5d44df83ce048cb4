import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./faults.ts";

/** An answer before anything goes wrong with it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** An answer in JSON. */
export function jsonAnswer(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

/** An error as the distribution specification words it. */
export function errorAnswer(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return jsonAnswer(status, { errors: [{ code, message }] }, headers);
}

export interface SendOptions {
  readonly fault?: Fault | undefined;
  /** The head alone is asked for. */
  readonly head: boolean;
  /** Resets the connection below. */
  readonly reset: () => void;
}

/** Sends an answer, spoilt by `fault` where there is one. A HEAD request gets the head alone. */
export async function send(
  response: ServerResponse,
  plain: Answer,
  { fault, head, reset }: SendOptions,
): Promise<void> {
  const answer = fault === undefined ? plain : spoilt(plain, fault);
  response.on("error", () => {}); // a client that goes away mid-answer is no news
  response.writeHead(answer.status, { "content-length": String(answer.body.length), ...answer.headers });
  if (head) {
    response.end();
    return;
  }
  switch (fault?.is) {
    case "stall":
    case "reset":
    case "truncate":
      await sendBeginning(response, answer.body.subarray(0, fault.afterBytes));
      if (fault.is === "reset") reset();
      if (fault.is === "truncate") response.socket?.end();
      return;
    case "slow":
      await trickle(response, answer.body, fault.bytesPerSecond);
      return;
    default:
      response.end(answer.body);
  }
}

function spoilt(answer: Answer, fault: Fault): Answer {
  switch (fault.is) {
    case "status":
      return {
        ...errorAnswer(fault.status, "FAULT", `injected status ${fault.status}`, fault.headers),
        ...(fault.body !== undefined && { body: Buffer.from(fault.body) }),
      };
    case "flip": {
      const body = Buffer.from(answer.body);
      body[fault.atByte] = (body[fault.atByte] ?? 0) ^ 1;
      return { ...answer, body };
    }
    case "extra":
      return { ...answer, body: Buffer.concat([answer.body, Buffer.alloc(fault.bytes)]) };
    case "digest-header":
      return { ...answer, headers: { ...answer.headers, "docker-content-digest": fault.digest } };
    case "body": {
      const type = fault.contentType === undefined ? {} : { "content-type": fault.contentType };
      return { ...answer, headers: { ...answer.headers, ...type }, body: Buffer.from(fault.body) };
    }
    default:
      return answer;
  }
}

/** What follows depends on how it breaks; a stall lasts until the client or the server closes. */
async function sendBeginning(response: ServerResponse, beginning: Buffer): Promise<void> {
  response.flushHeaders();
  await new Promise<void>((resolve) => response.write(beginning.length > 0 ? beginning : "", () => resolve()));
}

async function trickle(response: ServerResponse, body: Buffer, bytesPerSecond: number): Promise<void> {
  const piece = Math.max(1, Math.floor(bytesPerSecond / 10));
  for (let at = 0; at < body.length && !response.destroyed; at += piece) {
    response.write(body.subarray(at, at + piece));
    await sleep(100);
  }
  response.end();
}
