/**
 * Finds the line of a key in a TOML document that the parser has accepted; the parser itself does not tell.
 * Answers with the line of the nearest table or key above when the key stands in an inline table.
 */
export function tomlLines(text: string): (path: readonly string[]) => number | undefined {
  const lines = new Map<string, number>();
  const scanner = new Scanner(text);
  let table: readonly string[] = [];
  for (let key = scanner.nextKey(); key !== undefined; key = scanner.nextKey()) {
    const path = key.isTable ? key.path : [...table, ...key.path];
    if (key.isTable) table = key.path;
    for (let depth = 1; depth <= path.length; depth++) {
      const id = idOf(path.slice(0, depth));
      if (!lines.has(id)) lines.set(id, key.line);
    }
  }
  return (path) => {
    for (let depth = path.length; depth > 0; depth--) {
      const line = lines.get(idOf(path.slice(0, depth)));
      if (line !== undefined) return line;
    }
    return undefined;
  };
}

interface Key {
  readonly isTable: boolean;
  readonly path: readonly string[];
  readonly line: number;
}

/** Reads keys and skips values. Text that is not TOML ends it early, never wrongly: only line numbers depend on it. */
class Scanner {
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  nextKey(): Key | undefined {
    while (this.#take(/[\s\uFEFF]+/y) !== "" || this.#take(/#[^\n]*/y) !== "") {}
    const line = this.#line;
    const isTable = this.#take(/\[\[?/y) !== "";
    const path = this.#keyPath();
    if (path.length === 0) return undefined;
    if (isTable) this.#take(/[^\n]*/y);
    else this.#skipValue();
    return { isTable, path, line };
  }

  #keyPath(): string[] {
    const path: string[] = [];
    do {
      this.#take(/[ \t]+/y);
      const quoted = this.#takeString();
      const part = quoted === "" ? this.#take(/[A-Za-z0-9_-]+/y) : unquoted(quoted);
      if (part === "" && quoted === "") return path;
      path.push(part);
      this.#take(/[ \t]+/y);
    } while (this.#take(/\./y) !== "");
    return path;
  }

  /** To the end of the line on which the value ends: strings, arrays and inline tables may span several. */
  #skipValue(): void {
    let depth = 0;
    while (this.#at < this.#text.length) {
      if (this.#takeString() !== "" || this.#take(/#[^\n]*|[^"'#[\]{}\n]+/y) !== "") continue;
      const mark = this.#take(/[\s\S]/y);
      if (mark === "[" || mark === "{") depth++;
      if (mark === "]" || mark === "}") depth--;
      if (mark === "\n" && depth <= 0) return;
    }
  }

  /** The string that starts here, with its quotes; empty when none does. */
  #takeString(): string {
    const quote = this.#text[this.#at] ?? "";
    if (quote !== '"' && quote !== "'") return "";
    const isLong = this.#text.startsWith(quote.repeat(3), this.#at);
    const end = isLong ? quote.repeat(3) : quote;
    let at = this.#at + end.length;
    while (at < this.#text.length && !this.#text.startsWith(end, at)) {
      at += quote === '"' && this.#text[at] === "\\" ? 2 : 1;
    }
    at += end.length;
    while (isLong && this.#text[at] === quote) at++; // a long string may end in quotes of its own
    return this.#advanceTo(at);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    return this.#advanceTo(this.#at + (pattern.exec(this.#text)?.[0].length ?? 0));
  }

  #advanceTo(at: number): string {
    const passed = this.#text.slice(this.#at, at);
    this.#line += passed.split("\n").length - 1;
    this.#at = at;
    return passed;
  }
}

function unquoted(part: string): string {
  if (part.startsWith("'")) return part.slice(1, -1);
  try {
    return String(JSON.parse(part));
  } catch {
    return part.slice(1, -1); // an escape that JSON lacks; the key is then reported with the line of its table
  }
}

function idOf(path: readonly string[]): string {
  return JSON.stringify(path);
}
