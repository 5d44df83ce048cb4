import assert from "node:assert/strict";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../support/programs.ts";
import { start } from "./crictl-run.ts";

const patienceMs = 20_000;

/** A program on a terminal of its own, typed at and looked at as by a person. */
export class TypedAt implements AsyncDisposable {
  readonly #child: ReturnType<typeof start>;
  readonly #closed: Promise<unknown>;
  readonly #dir: string;
  readonly #sizes: NodeJS.WritableStream;
  #seen = "";

  private constructor(child: ReturnType<typeof start>, dir: string, sizes: NodeJS.WritableStream) {
    this.#child = child;
    this.#closed = once(child, "close");
    this.#dir = dir;
    this.#sizes = sizes;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#seen += text;
    });
  }

  /** script(1) makes the terminal. Beside the program, a shell on it gives it the sizes that it is told. */
  static async start(command: readonly string[], rows: number, columns: number): Promise<TypedAt> {
    const dir = await mkdtemp("/run/terminal-");
    const fifo = join(dir, "sizes");
    await run(["mkfifo", fifo]);
    const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
    const sizing = `(while read -r rows cols; do stty rows $rows cols $cols </dev/tty; done <'${fifo}') &`;
    const child = start(["script", "-qec", `stty rows ${rows} cols ${columns}; ${sizing} exec ${quoted}`, "/dev/null"]);
    return new TypedAt(child, dir, createWriteStream(fifo));
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  resize(rows: number, columns: number): void {
    this.#sizes.write(`${rows} ${columns}\n`);
  }

  /** Waits until the screen shows something, after what was waited for before. */
  async shows(what: RegExp): Promise<void> {
    const deadline = AbortSignal.timeout(patienceMs);
    for (let found = what.exec(this.#seen); ; found = what.exec(this.#seen)) {
      if (found !== null) {
        this.#seen = this.#seen.slice(found.index + found[0].length);
        return;
      }
      await once(this.#child.stdout, "data", { signal: deadline }).catch(() =>
        assert.fail(`${what} is not in ${JSON.stringify(this.#seen)}`),
      );
    }
  }

  /** Waits until the program has ended. */
  async ended(): Promise<void> {
    this.#child.stdin.end();
    this.#sizes.end();
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended();
    await rm(this.#dir, { recursive: true });
  }
}
