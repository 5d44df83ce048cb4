import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { isFault, silentLogger } from "../base/index.ts";
import { parseDigest } from "../oci/index.ts";
import { watchProgress } from "./pull-progress.ts";
import { PullsUnderway } from "./underway.ts";

const never = new AbortController().signal;
const layer = parseDigest(`sha256:${"0".repeat(64)}`);
const start = (timeoutMs: number, signal = never) => {
  const underway = new PullsUnderway().begin("quay.io/a/b:1");
  return watchProgress({ timeoutMs, signal, underway, log: silentLogger });
};

describe("the watch over a pull", () => {
  it("ends it when nothing comes for the time, and not before", async () => {
    mock.timers.enable({ apis: ["setInterval"] });
    try {
      using progress = start(1000);
      const { promise: answer, resolve } = Promise.withResolvers<void>();
      const waiting = progress.during(() => answer);
      mock.timers.tick(900);
      assert.equal(progress.signal.aborted, false);
      resolve();
      await waiting;
      mock.timers.tick(60_000);
      assert.equal(progress.signal.aborted, false, "nothing is awaited");
      const bytes = progress
        .counted(
          layer,
          (async function* () {
            yield Buffer.from("abc");
            await new Promise(() => {});
          })(),
        )
        [Symbol.asyncIterator]();
      assert.equal((await bytes.next()).value?.length, 3);
      void bytes.next();
      mock.timers.tick(1000);
      assert.equal(progress.signal.aborted, false, "three bytes came in this time");
      mock.timers.tick(100);
      assert.ok(isFault(progress.signal.reason, "cancelled"));
      assert.match(progress.signal.reason.message, /^context canceled: nothing came from the registry for 1s/);
    } finally {
      mock.timers.reset();
    }
  });

  it("waits for ever without a time, and ends with the pull", () => {
    const pull = new AbortController();
    using progress = start(0, pull.signal);
    assert.equal(progress.signal.aborted, false);
    pull.abort(new Error("left"));
    assert.equal(progress.signal.reason.message, "left");
  });
});
