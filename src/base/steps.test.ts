import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyedLock } from "./keyed-lock.ts";
import { asPartOf, beginStep, currentStep, inStep, Operations, type Step } from "./steps.ts";

const options = { id: "request" };

/** A place to wait, and how to go on. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { wait: () => promise, open: resolve };
}

function names(step: Step): unknown {
  return [step.name, ...step.open.map(names)];
}

describe("an operation", () => {
  it("has its open steps, each within the one that began it", async () => {
    const operations = new Operations();
    const stop = gate();
    const work = operations.run("call", options, async () => {
      await inStep("done", async () => {});
      await Promise.all([inStep("a", () => inStep("a1", stop.wait)), inStep("b", stop.wait)]);
    });
    await inStep("outside of any operation", async () => {});
    await new Promise(setImmediate);
    const [operation] = operations.running();
    assert.ok(operation !== undefined);
    assert.deepEqual(names(operation), ["call", ["a", ["a1"]], ["b"]]);
    stop.open();
    await work;
    assert.equal(operations.count, 0);
  });

  it("goes on for as long as something that it has begun does, also below what has ended", async () => {
    const operations = new Operations();
    const stop = gate();
    const inner: Promise<void>[] = [];
    await operations.run("call", options, () =>
      inStep("given up", async () => {
        inner.push(inStep("goes on", stop.wait));
      }),
    );
    const [operation] = operations.running();
    assert.ok(operation !== undefined);
    assert.deepEqual(names(operation), ["call", ["given up", ["goes on"]]]);
    stop.open();
    await Promise.all(inner);
    assert.equal(operations.count, 0);
  });

  it("has one stage at a time, and what begins then is within it", async () => {
    const operations = new Operations();
    const stop = gate();
    const work = operations.run("call", options, async () => {
      const step = currentStep();
      step?.enterStage("first");
      step?.enterStage("second");
      await inStep("program", stop.wait);
    });
    await new Promise(setImmediate);
    assert.deepEqual(operations.running().map(names), [["call", ["second", ["program"]]]]);
    stop.open();
    await work;
    assert.equal(operations.count, 0);
  });

  it("stays in flight while work goes on that its caller has left", () => {
    const operations = new Operations();
    const operation = operations.begin("call", options);
    const step = asPartOf(operation, () => beginStep("work"));
    operation.end();
    assert.equal(operations.count, 1);
    assert.equal(operation.hasEnded, true);
    step?.end();
    assert.equal(operations.count, 0);
    assert.equal(
      asPartOf(operation, () => beginStep("too late")),
      undefined,
    );
  });

  it("tells of every step that ends when its trace is sampled, the failed ones with why", async () => {
    const operations = new Operations();
    const ended: unknown[] = [];
    operations.onEnd = (step, error) => ended.push([step.name, error]);
    const trace = { traceId: "1", spanId: undefined, isSampled: true };
    const failure = new Error("no");
    const work = operations.run("call", { ...options, trace }, () => inStep("step", () => Promise.reject(failure)));
    await assert.rejects(work, failure);
    assert.deepEqual(ended, [
      ["step", failure],
      ["call", failure],
    ]);
    await operations.run("other", { ...options, trace: { ...trace, isSampled: false } }, async () => {});
    assert.equal(ended.length, 2);
  });

  it("that waits for a lock knows who holds it", async () => {
    const operations = new Operations();
    const lock = new KeyedLock<string>("pod");
    const stop = gate();
    const holding = operations.run("holder", options, () => lock.with("p1", stop.wait));
    const waiting = operations.run("waiter", options, () => lock.with("p1", async () => {}));
    await new Promise(setImmediate);
    const step = operations.running()[1]?.open[0];
    assert.equal(step?.name, "waiting for the lock of pod p1");
    const holder = step?.waitsFor?.is === "lock" ? step.waitsFor.holder() : undefined;
    assert.equal(holder?.is === "step" ? holder.step.operation.name : undefined, "holder");
    stop.open();
    await Promise.all([holding, waiting]);
    assert.equal(operations.count, 0);
  });
});
