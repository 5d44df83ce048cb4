import { contentFault, stallFault } from "./failure.ts";
import type { HttpResponse } from "./http.ts";
import { urlText } from "./words.ts";

/** However steadily they trickle: a document takes no longer than this, the words of an error no longer than that. */
const maxDocumentMs = 300_000;
const maxWordsMs = 10_000;

/** The whole body, at most `maxBytes`; a longer one is a Fault("exhausted") and the connection is given up. */
export async function readBody(response: HttpResponse, maxBytes: number, what: string): Promise<Buffer> {
  const tooLarge = () => {
    const message = `${what} at ${urlText(response.url)} is larger than the ${maxBytes} bytes that are read`;
    return contentFault(message, "exhausted");
  };
  try {
    if (Number(response.headers["content-length"]) > maxBytes) throw tooLarge();
    const chunks: Uint8Array[] = [];
    let total = 0;
    const started = performance.now();
    for await (const chunk of response.body) {
      total += chunk.byteLength;
      if (total > maxBytes) throw tooLarge();
      if (performance.now() - started > maxDocumentMs) {
        throw stallFault(`${what} at ${urlText(response.url)}`, `not complete after ${maxDocumentMs / 1000} s`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    response.close();
  }
}

/** The beginning of the body; never rejects, for it is only wanted for its words or to free the connection. */
export async function readBodyStart(response: HttpResponse, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  const started = performance.now();
  try {
    for await (const chunk of response.body) {
      chunks.push(chunk.subarray(0, maxBytes - total));
      total += chunk.byteLength;
      if (total >= maxBytes || performance.now() - started > maxWordsMs) break;
    }
  } catch {
    // a broken connection: the words that arrived must do
  }
  return Buffer.concat(chunks);
}
