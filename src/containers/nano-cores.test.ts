import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NanoCores } from "./nano-cores.ts";

const second = 1_000_000_000n;

describe("the speed of CPU use", () => {
  it("is known from the second sample on", () => {
    const record = {};
    const cores = new NanoCores();
    assert.equal(cores.rate(record, 5n * second, 10n * second), undefined);
    assert.equal(cores.rate(record, 6n * second, 12n * second), second / 2n);
    assert.equal(cores.rate(record, 6n * second, 22n * second), 0n);
  });

  it("is that up to the last real sample when asked twice at once", () => {
    const record = {};
    const cores = new NanoCores();
    assert.equal(cores.rate(record, 0n, 0n), undefined);
    assert.equal(cores.rate(record, 1_000_000n, 1_000n), undefined, "a microsecond later");
    assert.equal(cores.rate(record, second, second), second);
    assert.equal(cores.rate(record, second + 4_000_000n, second + 1_000_000n), second, "a millisecond later");
    assert.equal(cores.rate(record, 3n * second, 2n * second), 2n * second);
  });

  it("begins anew when the counter does", () => {
    const record = {};
    const cores = new NanoCores();
    cores.rate(record, 9n * second, 0n);
    assert.equal(cores.rate(record, second, second), undefined);
    assert.equal(cores.rate(record, 2n * second, 2n * second), second);
  });

  it("belongs to a record: the next one of the same id has none of it", () => {
    const cores = new NanoCores();
    cores.rate({ id: "a" }, second, 0n);
    assert.equal(cores.rate({ id: "a" }, 2n * second, second), undefined);
  });

  it("keeps every digit", () => {
    const record = {};
    const cores = new NanoCores();
    const many = 2n ** 63n;
    cores.rate(record, many, many);
    assert.equal(cores.rate(record, many + 7n * second, many + second), 7n * second);
  });
});
