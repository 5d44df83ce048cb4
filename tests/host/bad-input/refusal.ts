/** What must hold of a refused request: its code and words, and that nothing has become of it. */
import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { CriError } from "../../support/daemon/cri.ts";
import {
  type CompareOptions,
  differencesAfterSettling,
  type Inventory,
  takeInventory,
} from "../../support/node/index.ts";

export interface Refusal {
  /** gRPC code. Default: UNKNOWN, as CRI-O answers most. */
  readonly code?: number;
  /** The whole text, or what it must match. */
  readonly details: string | RegExp;
}

/** Waits for a call to be refused with these words; resolves with the error. */
export async function expectRefusal(call: Promise<unknown>, refusal: Refusal): Promise<CriError> {
  const error = await call.then(
    (answer) => assert.fail(`not refused: ${JSON.stringify(answer, bigintText)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof CriError)) throw error;
  const { code = status.UNKNOWN, details } = refusal;
  if (typeof details === "string") assert.equal(error.details.slice(0, 1000), details);
  else assert.match(error.details.slice(0, 1000), details);
  assert.equal(status[error.code], status[code], error.details);
  return error;
}

/** Runs `work`, after which everything in the node must be as before. */
export async function leavesNothing<T>(work: () => Promise<T>, options: CompareOptions = {}): Promise<T> {
  const before = await takeInventory(options.paths);
  const result = await work();
  await expectAsBefore(before, options);
  return result;
}

/** Rejects with a list of what is there that was not there `before`. */
export async function expectAsBefore(before: Inventory, options: CompareOptions = {}): Promise<void> {
  assert.deepEqual(await differencesAfterSettling(before, options), []);
}

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
