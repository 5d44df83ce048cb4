import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { setImmediate as later } from "node:timers/promises";
import { CommandOutput } from "./command-output.ts";

const never = new AbortController().signal;

/** A client that takes what it was sent when it is told to. */
function slowClient() {
  let take = () => {};
  const stream = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, callback) => {
      take = callback;
    },
  });
  return { stream, take: () => take() };
}

async function isOver(promise: Promise<void>): Promise<boolean> {
  await later();
  return await Promise.race([promise.then(() => true), later(false)]);
}

describe("the output of a command that has ended", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  it("is over once nothing has come for a while", async () => {
    const output = new CommandOutput();
    const silent = output.silent(1000, never);
    mock.timers.tick(900);
    await output.write(undefined, Buffer.from("more"));
    mock.timers.tick(900);
    assert.equal(await isOver(silent), false);
    mock.timers.tick(100);
    assert.equal(await isOver(silent), true);
  });

  it("is not over while the client has not taken what came, however long that takes", async () => {
    const output = new CommandOutput();
    const { stream, take } = slowClient();
    const writing = output.write(stream, Buffer.from("all of it"));
    const silent = output.silent(1000, never);
    mock.timers.tick(1_000_000);
    assert.equal(await isOver(silent), false);
    take();
    await writing;
    mock.timers.tick(999);
    assert.equal(await isOver(silent), false, "what was held up behind it comes now");
    mock.timers.tick(1);
    assert.equal(await isOver(silent), true);
  });

  it("is over when the client has gone, or the session", async () => {
    const output = new CommandOutput();
    const { stream } = slowClient();
    const writing = output.write(stream, Buffer.from("lost"));
    stream.destroy();
    await writing;
    const controller = new AbortController();
    const silent = output.silent(1000, controller.signal);
    controller.abort();
    assert.equal(await isOver(silent), true);
  });
});
