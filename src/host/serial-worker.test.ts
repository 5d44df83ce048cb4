import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { SerialWorker } from "./serial-worker.ts";

const file = new URL("./testing/odd-thread.ts", import.meta.url);
const name = "the odd worker";
const call = { what: "asking", timeoutMs: 20_000 };
const faulted = (code: Parameters<typeof isFault>[1], pattern: RegExp) => (error: unknown) => {
  assert.ok(isFault(error, code), `expected a Fault(${code}), got ${error}`);
  assert.match(error.message, pattern);
  return true;
};

describe("SerialWorker", () => {
  it("answers, passes faults on, and survives them", async () => {
    const worker = new SerialWorker<string, string>(file, { name, whenAbandoned: "finish" });
    const first = await worker.call("hello", call);
    await assert.rejects(worker.call("fail", call), faulted("denied", /^as told$/));
    assert.equal(await worker.call("hello", call), first);
    await worker.stop();
    await assert.rejects(worker.call("hello", call), faulted("unavailable", /has been stopped/));
  });

  it("fails the request it died over, and serves those that wait with a new thread", async () => {
    const worker = new SerialWorker<string, string>(file, { name, whenAbandoned: "finish" });
    const [first, dead, second, fatal, third] = await Promise.allSettled(
      ["hello", "die", "hello", "fatal", "hello"].map((request) => worker.call(request, call)),
    );
    assert.equal(dead?.status, "rejected");
    assert.equal(fatal?.status, "rejected");
    assert.match(String(fatal.reason), /asking: the odd worker died: the end/);
    const threads = [first, second, third].map((result) => (result?.status === "fulfilled" ? result.value : "failed"));
    assert.equal(new Set(threads).size, 3);
    assert.ok(!threads.includes("failed"));
    await worker.stop();
  });

  it("lets the thread finish what its caller left, and tells of it", async () => {
    const worker = new SerialWorker<string, string>(file, { name, whenAbandoned: "finish" });
    const thread = await worker.call("hello", call);
    const late: string[] = [];
    const options = { what: "hanging", timeoutMs: 20, onLate: (reply: string) => late.push(reply) };
    await assert.rejects(worker.call("hang200", options), faulted("deadline", /hanging: the odd worker has no answer/));
    assert.equal(await worker.call("hello", call), thread);
    assert.deepEqual(late, [thread]);
    await worker.stop();
  });

  it("ends the thread when told so, and drops requests whose caller left the queue", async () => {
    const worker = new SerialWorker<string, string>(file, { name, whenAbandoned: "terminate" });
    const thread = await worker.call("hello", call);
    const hanging = worker.call("hang60000", { ...call, timeoutMs: 50 });
    const controller = new AbortController();
    const queued = worker.call("hello", { ...call, signal: controller.signal });
    const last = worker.call("hello", call);
    controller.abort(new Error("gone"));
    await assert.rejects(queued, faulted("cancelled", /gone/));
    await assert.rejects(hanging, faulted("deadline", /0\.05 s/));
    assert.notEqual(await last, thread);
    await worker.stop();
  });

  it("says when the thread cannot start", async () => {
    const worker = new SerialWorker<string, string>(new URL("./no-such-worker.ts", import.meta.url), {
      name,
      whenAbandoned: "finish",
    });
    await assert.rejects(worker.call("hello", call), faulted("failed", /no-such-worker/));
    await worker.stop();
  });
});
