import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { defaultWindow, maxWindow } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { Outbox } from "./outbox.ts";

/** A socket that takes so much and then waits to be drained. */
function socket(highWaterMark = 64 << 10) {
  const reader = new FrameReader(1000);
  const sent: { streamId: number; bytes: number }[] = [];
  let release: (() => void) | undefined;
  const io = new Duplex({
    highWaterMark,
    read() {},
    writev(chunks, callback) {
      for (const { chunk } of chunks) reader.add(chunk);
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        if (frame.is === "data" && frame.bytes.length > 0)
          sent.push({ streamId: frame.streamId, bytes: frame.bytes.length });
      }
      release = callback;
    },
  });
  const bytesOf = (streamId: number) =>
    sent.reduce((sum, piece) => sum + (piece.streamId === streamId ? piece.bytes : 0), 0);
  const drain = async () => {
    while (release !== undefined) {
      const go = release;
      release = undefined;
      go();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { io, sent, bytesOf, drain };
}

describe("the outbox", () => {
  it("holds what the socket does not take, and gives every stream its turn", async () => {
    const { io, sent, bytesOf, drain } = socket();
    const outbox = new Outbox(io);
    const done: number[] = [];
    for (const id of [1, 3, 5]) {
      outbox.open(id);
      outbox.send(id, Buffer.alloc(192 << 10), () => done.push(id));
    }
    assert.ok(io.writableLength <= (64 << 10) + 100);
    await drain();
    assert.deepEqual(done, [1, 3, 5]);
    assert.deepEqual(
      sent.slice(0, 6).map((piece) => piece.streamId),
      [1, 1, 3, 5, 1, 3],
    );
    assert.equal(bytesOf(3), 192 << 10);
  });

  it("asks for no window of a client that keeps none", async () => {
    const { io, bytesOf, drain } = socket();
    const outbox = new Outbox(io);
    outbox.open(1);
    outbox.send(1, Buffer.alloc(1 << 20), () => {});
    await drain();
    assert.equal(bytesOf(1), 1 << 20);
  });

  it("keeps to a client's windows, counted from the first byte", async () => {
    const { io, bytesOf, drain } = socket();
    const outbox = new Outbox(io);
    outbox.setInitialWindow(1000);
    outbox.open(1);
    let isDone = false;
    outbox.send(1, Buffer.alloc(5000), () => {
      isDone = true;
    });
    await drain();
    assert.equal(bytesOf(1), 1000);
    outbox.credit(1, 500);
    await drain();
    assert.equal(bytesOf(1), 1500);
    outbox.setInitialWindow(0);
    outbox.credit(1, 900);
    await drain();
    assert.equal(bytesOf(1), 1500, "the smaller window left it below zero");
    outbox.credit(1, 10_000);
    await drain();
    assert.equal(bytesOf(1), 5000);
    assert.ok(isDone);
  });

  it("keeps to the connection's window once the client shows that it has one", async () => {
    const { io, bytesOf, drain } = socket();
    const outbox = new Outbox(io);
    outbox.open(1);
    outbox.open(3);
    outbox.credit(0, 0);
    outbox.send(1, Buffer.alloc(defaultWindow + 10), () => {});
    outbox.send(3, Buffer.alloc(10), () => {});
    await drain();
    assert.equal(bytesOf(1) + bytesOf(3), defaultWindow);
    outbox.credit(0, 20);
    await drain();
    assert.equal(bytesOf(1) + bytesOf(3), defaultWindow + 20);
  });

  it("knows no window larger than 2 GiB, and forgets closed streams", () => {
    const { io } = socket();
    const outbox = new Outbox(io);
    outbox.open(1);
    assert.equal(outbox.credit(1, maxWindow), false);
    assert.equal(outbox.credit(0, maxWindow), false);
    outbox.close(1);
    assert.equal(outbox.credit(1, maxWindow), true);
  });
});
