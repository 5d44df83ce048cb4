import type { Readable } from "node:stream";
import type { TerminalSize } from "./backend.ts";
import { limits } from "./limits.ts";

/**
 * The terminal sizes on a client's resize stream, for one loop: JSON objects `{"Width":80,"Height":24}` one after the other
 * (remotecommand's TerminalSize). A size that nobody took before the next one came is dropped. Ends with the stream, with
 * `signal`, and at the first thing that is not a size.
 */
export class TerminalSizes implements AsyncIterable<TerminalSize> {
  #latest: TerminalSize | undefined;
  #over = false;
  #wake: () => void = () => {};

  constructor(source: Readable | undefined, signal: AbortSignal) {
    const end = () => this.#end();
    if (source === undefined || signal.aborted) {
      end();
      return;
    }
    let text = "";
    source.on("data", (bytes: Buffer) => {
      if (this.#over) return; // reading goes on, so that a client never waits for us to take more
      text += bytes.toString("latin1");
      const objects = text.split("}");
      text = objects.pop() ?? "";
      const last = objects.map((object) => sizeFromJson(`${object}}`));
      if (text.length > limits.resizeBytes || last.includes(undefined)) end();
      else if (last.length > 0) this.#put(last.at(-1));
    });
    source.once("close", end);
    source.once("end", end);
    signal.addEventListener("abort", end, { once: true });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TerminalSize, void, undefined> {
    for (;;) {
      const size = this.#latest;
      this.#latest = undefined;
      if (size !== undefined) yield size;
      else if (this.#over) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #put(size: TerminalSize | undefined): void {
    this.#latest = size;
    this.#wake();
  }

  #end(): void {
    this.#over = true;
    this.#wake();
  }
}

/** A size from its JSON; a missing side is 0. Undefined for anything else. Names are known in any case, as Go does it. */
export function sizeFromJson(text: string): TerminalSize | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const sides = new Map(Object.entries(parsed).map(([key, value]) => [key.toLowerCase(), value]));
  const [width, height] = [sideOf(sides.get("width")), sideOf(sides.get("height"))];
  return width === undefined || height === undefined ? undefined : { width, height };
}

function sideOf(value: unknown): number | undefined {
  if (value === undefined) return 0;
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535 ? value : undefined;
}
