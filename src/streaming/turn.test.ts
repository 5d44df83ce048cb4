import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { limits } from "./limits.ts";
import { Turn } from "./turn.ts";

const turnOver = () => new Promise<void>((resolve) => setImmediate(resolve));
const piece = 64 << 10;
const each = piece + limits.turnPieceCost;

describe("a turn", () => {
  it("lets so much go on, and the rest in turns that follow, in order", async () => {
    const turn = new Turn(2 * each);
    const gone: number[] = [];
    for (let number = 0; number < 5; number++) turn.pay(piece, () => gone.push(number));
    assert.deepEqual(gone, [0, 1]);
    await turnOver();
    assert.deepEqual(gone, [0, 1, 2, 3]);
    await turnOver();
    assert.deepEqual(gone, [0, 1, 2, 3, 4]);
  });

  it("puts those that have gone on behind those that wait", async () => {
    const turn = new Turn(each);
    const gone: string[] = [];
    const carry = (name: string, times: number): void => {
      gone.push(name);
      if (times > 1) turn.pay(piece, () => carry(name, times - 1));
    };
    turn.pay(piece, () => {}); // this turn is spent
    for (const name of ["a", "b", "c"]) turn.pay(piece, () => carry(name, 3));
    for (let turns = 0; turns < 9; turns++) await turnOver();
    assert.equal(gone.join(""), "abcabcabc");
  });

  it("makes nobody wait as long as little is carried", async () => {
    const turn = new Turn(each);
    for (let times = 0; times < 10; times++) {
      assert.equal(turn.paid(1), undefined);
      await turnOver();
    }
  });

  it("lets calls that come from outside in between", async () => {
    const turn = new Turn(each);
    let carried = 0;
    const flood = (): void => {
      carried++;
      if (carried < 1000) turn.pay(piece, flood);
    };
    flood();
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.ok(carried < 1000, "all was carried before a timer had its chance");
    carried = 1000;
  });
});
