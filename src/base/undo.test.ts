import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault } from "./fault.ts";
import { Undo } from "./undo.ts";

/** An undo of the steps and records named, of which `failing` fail; `run` resolves with what was undone, in order. */
function undoOf(plan: {
  readonly steps: readonly string[];
  readonly records: readonly string[];
  readonly failing: readonly string[];
}) {
  const undo = new Undo();
  const done: string[] = [];
  const give = (name: string) => () => {
    if (plan.failing.includes(name)) throw new Fault("failed", "stuck");
    done.push(name);
  };
  for (const name of plan.records) undo.addRecord(name, give(name));
  for (const name of plan.steps) undo.add(name, give(name));
  return { undo, done };
}

describe("Undo", () => {
  it("gives back in reverse order, records last, and once", async () => {
    const { undo, done } = undoOf({ steps: ["a", "b"], records: ["name", "store"], failing: [] });
    await undo.run();
    await undo.run();
    assert.deepEqual(done, ["b", "a", "store", "name"]);
  });

  it("tries every step and keeps every record when one fails", async () => {
    const { undo, done } = undoOf({ steps: ["a", "b"], records: ["name", "store"], failing: ["b"] });
    await assert.rejects(undo.run(), { message: "undoing failed for b: stuck" });
    assert.deepEqual(done, ["a"]);
  });

  it("keeps the records below one that fails: a name stays with what still has it", async () => {
    const { undo, done } = undoOf({ steps: ["a"], records: ["name", "store"], failing: ["store"] });
    await assert.rejects(undo.run(), { message: "undoing failed for store: stuck" });
    assert.deepEqual(done, ["a"]);
  });

  it("gives nothing back that is kept", async () => {
    const { undo, done } = undoOf({ steps: ["a"], records: ["name"], failing: [] });
    undo.keep();
    await undo.run();
    assert.deepEqual(done, []);
  });
});
