import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClientStream } from "./client-stream.ts";
import { Holding } from "./holding.ts";
import { Inbox } from "./inbox.ts";
import { limits } from "./limits.ts";

class PlainStream extends ClientStream {
  takenBytes = 0;

  protected override taken(bytes: number): void {
    this.takenBytes += bytes;
  }

  protected override send(_bytes: Buffer, done: () => void): void {
    done();
  }
}

describe("an inbox", () => {
  it("gives back what was put in, small pieces together", () => {
    const inbox = new Inbox();
    for (const piece of ["a", "b", "c"]) inbox.add(Buffer.from(piece));
    inbox.add(Buffer.alloc(64 << 10, "d"));
    assert.equal(inbox.take()?.bytes.toString(), "abc");
    assert.equal(inbox.take()?.bytes.length, 64 << 10);
    assert.equal(inbox.take(), undefined);
    assert.equal(inbox.cost, 0);
    assert.ok(inbox.isEmpty);
  });

  it("counts a piece more than its bytes, and does not keep alive what it was cut from", () => {
    const inbox = new Inbox();
    const chunk = Buffer.alloc(64 << 10);
    for (let index = 0; index < 100; index++) inbox.add(chunk.subarray(index, index + 1));
    assert.equal(inbox.cost, 100 * (1 + limits.pieceCost));
    assert.notEqual(inbox.take()?.bytes.buffer, chunk.buffer);
  });
});

describe("a client's stream", () => {
  it("holds what is not read, says when it is full, and lets go when it is read or destroyed", async () => {
    const holding = new Holding(1 << 20);
    const stream = new PlainStream(holding);
    const piece = Buffer.alloc(32 << 10, "x");
    for (let index = 0; index < 9; index++) stream.accept(piece);
    assert.ok(stream.isFull);
    const waiting = holding.changed();
    assert.ok((await stream[Symbol.asyncIterator]().next()).value.length > 0);
    await waiting;
    assert.ok(!stream.isFull);
    stream.destroy();
    const other = new PlainStream(holding);
    for (let index = 0; index < 8; index++) other.accept(piece);
    assert.ok(!holding.isFull);
  });

  it("ends after its last byte", async () => {
    const stream = new PlainStream(new Holding(1 << 20));
    stream.accept(Buffer.from("one "));
    stream.accept(Buffer.from("two"));
    stream.acceptEnd();
    stream.accept(Buffer.from("too late"));
    assert.equal(Buffer.concat(await stream.toArray()).toString(), "one two");
  });

  it("throws away what nobody wants, and counts it as taken", async () => {
    const holding = new Holding(1000);
    const stream = new PlainStream(holding);
    stream.accept(Buffer.alloc(2000));
    stream.discardInput();
    assert.ok(!holding.isFull && !stream.isFull);
    for (let index = 0; index < 100; index++) stream.accept(Buffer.alloc(2000));
    assert.ok(!holding.isFull);
    assert.ok(stream.takenBytes >= 200_000);
  });
});
