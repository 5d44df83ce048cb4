import type { Socket } from "node:net";
import { Fault } from "../../base/index.ts";

/** A message of conmon is far smaller; more is not conmon. */
const maxBytes = 1 << 20;

/**
 * The one line of JSON that conmon writes to its sync pipe. Rejects when the pipe ends or `signal` aborts before.
 * Conmon passes bytes of 0x80 and above through as they are, so the line is read as UTF-8.
 */
export async function readJsonLine(pipe: Socket, signal: AbortSignal): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const onAbort = () => reject(signal.reason);
  const text = () => Buffer.concat(chunks).toString("utf8");
  pipe.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (chunk.includes(0x0a)) resolve(text());
    else if (size > maxBytes) reject(new Fault("failed", `conmon's message is over ${maxBytes} bytes`));
  });
  pipe.on("end", () => resolve(text()));
  pipe.on("error", reject);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return parseMessage(await promise);
  } finally {
    signal.removeEventListener("abort", onAbort);
    pipe.destroy();
  }
}

function parseMessage(text: string): Record<string, unknown> {
  const line = text.slice(0, text.includes("\n") ? text.indexOf("\n") : undefined);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    const seen = line === "" ? "it wrote nothing" : `it wrote ${JSON.stringify(line.slice(0, 200))}`;
    throw new Fault("failed", `error reading container (probably exited) json message: ${seen}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Fault("failed", `error reading container (probably exited) json message: ${line.slice(0, 200)}`);
  }
  return Object.fromEntries(Object.entries(value));
}
