import { Fault } from "../base/index.ts";

/** Things by their 64-digit id, found also by a prefix that only one of them has. */
export class IdIndex<T> {
  readonly #things = new Map<string, T>();

  get(id: string): T | undefined {
    return this.#things.get(id);
  }

  set(id: string, thing: T): void {
    this.#things.set(id, thing);
  }

  delete(id: string): void {
    this.#things.delete(id);
  }

  values(): readonly T[] {
    return [...this.#things.values()];
  }

  get size(): number {
    return this.#things.size;
  }

  /**
   * The one thing whose id is `text` or begins with it. Rejects nothing and finds nothing for "".
   * Throws code `not-found` when there is none, `invalid` when there are several.
   */
  find(text: string): T {
    const exact = this.#things.get(text);
    if (exact !== undefined) return exact;
    const found: T[] = [];
    if (text !== "" && text.length < 64) {
      for (const [id, thing] of this.#things) if (id.startsWith(text)) found.push(thing);
    }
    const [only, second] = found;
    if (second !== undefined) throw new Fault("invalid", `the ID prefix ${quoted(text)} is ambiguous`);
    if (only === undefined) throw new Fault("not-found", "ID does not exist");
    return only;
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
