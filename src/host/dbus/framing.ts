import { fixedHeaderBytes, messageLength } from "./message.ts";

/**
 * Cuts a byte stream into whole messages. Holds one unfinished message at most, which is no longer than `maxMessageBytes`.
 */
export class Framing {
  #chunks: Buffer[] = [];
  #held = 0;
  /** How many bytes to have before looking again. */
  #wanted = fixedHeaderBytes;

  /** Takes what came and gives the messages that are complete now. Throws what `messageLength` throws; then the stream is lost. */
  push(chunk: Buffer): readonly Buffer[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#wanted) return [];
    let bytes = Buffer.concat(this.#chunks);
    const messages: Buffer[] = [];
    this.#wanted = fixedHeaderBytes;
    while (bytes.length >= fixedHeaderBytes) {
      this.#wanted = messageLength(bytes);
      if (bytes.length < this.#wanted) break;
      messages.push(bytes.subarray(0, this.#wanted));
      bytes = bytes.subarray(this.#wanted);
      this.#wanted = fixedHeaderBytes;
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#held = bytes.length;
    return messages;
  }
}
