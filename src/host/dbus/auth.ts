import { Fault } from "../../base/index.ts";

/** The specification's limit for a line of the authentication. */
const maxLineBytes = 16 * 1024;

/** What a client says first: the NUL byte, and that the kernel knows our user id (SASL EXTERNAL). */
export function authGreeting(uid: number): string {
  return `\0AUTH EXTERNAL ${Buffer.from(String(uid)).toString("hex")}\r\n`;
}

/** What a client says once it was accepted; messages follow. */
export const authBegin = "BEGIN\r\n";

/** Collects the server's answer to the greeting. */
export class AuthAnswer {
  #held: Buffer = Buffer.alloc(0);

  /**
   * Takes what came. Gives undefined while the line is incomplete, then, when the server accepted us, the bytes after the line.
   * Throws Fault("denied") when it did not, Fault("corrupt") for an endless line.
   */
  push(chunk: Buffer): Buffer | undefined {
    this.#held = Buffer.concat([this.#held, chunk]);
    const end = this.#held.indexOf("\r\n");
    if (end < 0 && this.#held.length <= maxLineBytes) return undefined;
    if (end < 0 || end > maxLineBytes) throw new Fault("corrupt", "D-Bus: an endless answer to the authentication");
    const line = this.#held.toString("latin1", 0, end);
    if (!/^OK( |$)/.test(line)) {
      throw new Fault("denied", `D-Bus: the authentication was refused: ${JSON.stringify(line.slice(0, 200))}`);
    }
    return this.#held.subarray(end + 2);
  }
}
