/** Holds docs/capabilities.md to what is there: every row of the runtime service, every test that it names. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const docs = fileURLToPath(new URL("../docs", import.meta.url));
/** Of other parts: configuration and command line, pulls and registries, signatures. */
const elsewhere = [2, 19, 49, 50, 52, 53];
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_one, n) => first + n);
const expected = [...range(1, 54), ...range(65, 70)].filter((row) => !elsewhere.includes(row));

const rows = readFileSync(join(docs, "capabilities.md"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const [, number, , state = "", tests = ""] = line.split("|").map((cell) => cell.trim());
    return /^\d+$/.test(number ?? "") ? [{ number: Number(number), state, tests }] : [];
  });

describe("the list of capabilities", () => {
  it("has each of the runtime service's once, in order", () => {
    const numbers = rows.map(({ number }) => number);
    assert.deepEqual(
      expected.filter((row) => !numbers.includes(row)),
      [],
    );
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
    );
  });

  it("says of each how it stands, and names tests that exist", () => {
    for (const { number, state, tests } of rows) {
      assert.notEqual(state, "", `row ${number}`);
      const files = [...tests.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path ?? "");
      assert.ok(files.length > 0, `row ${number} names no test`);
      for (const file of files) assert.ok(existsSync(join(docs, file)), `row ${number}: ${file} does not exist`);
    }
  });
});
