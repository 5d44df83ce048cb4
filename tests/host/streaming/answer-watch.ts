import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { nodeBinary } from "../../support/paths.ts";
import { say } from "./full.ts";

/** Measures how long other calls take while something goes on, from a process that has nothing else to do. */
export class AnswerWatch implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>) {
    this.#child = child;
    this.#lines = lines;
  }

  static async start(socket: string): Promise<AnswerWatch> {
    const script = fileURLToPath(new URL("answer-times.ts", import.meta.url));
    const command = ["--disable-warning=ExperimentalWarning", script, socket];
    const child = spawn(nodeBinary, command, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    await lines.next(); // it is connected
    return new AnswerWatch(child, lines);
  }

  /** Says at the end how long other calls took. */
  async during(what: string, work: () => Promise<void>): Promise<void> {
    await this.#told();
    await work();
    say(`${what}: other calls: ${await this.#told()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.stdin?.end();
    await ended;
  }

  async #told(): Promise<string> {
    this.#child.stdin?.write("\n");
    return String((await this.#lines.next()).value);
  }
}
