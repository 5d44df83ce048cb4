import { Fault, reasonOf } from "./fault.ts";

interface Step {
  readonly what: string;
  readonly undo: () => Promise<void> | void;
}

/**
 * What has been acquired so far, in the order of acquiring, each with the way to give it back.
 *
 * Write `undo.add("network", () => detach(...))` on the line below each acquire. When all went well, `keep()`;
 * otherwise `run()` undoes in reverse order, tries every step whatever the others say, and reports all that failed.
 */
export class Undo {
  #steps: Step[] = [];
  #records: Step[] = [];

  add(what: string, undo: () => Promise<void> | void): void {
    this.#steps.push({ what, undo });
  }

  /**
   * For the record by which all the rest is found again: it is undone last, and stays when anything else, or a record added after it,
   * could not be undone, so that somebody can go on from there.
   */
  addRecord(what: string, undo: () => Promise<void> | void): void {
    this.#records.push({ what, undo });
  }

  /** Forgets the steps: what was acquired stays. */
  keep(): void {
    this.#steps = [];
    this.#records = [];
  }

  /** Undoes everything, last acquired first. Rejects with one Fault that names every step that failed. */
  async run(): Promise<void> {
    const [steps, records] = [this.#steps.splice(0), this.#records.splice(0)];
    const failures = await undoEach(steps);
    if (failures.length === 0) failures.push(...(await undoInTurn(records)));
    if (failures.length === 0) return;
    const list = failures.map(({ what, error }) => `${what}: ${reasonOf(error)}`).join("; ");
    throw new Fault("failed", `undoing failed for ${list}`, { cause: failures[0]?.error });
  }
}

interface Failure {
  readonly what: string;
  readonly error: unknown;
}

/** Tries every step, the last one first. */
async function undoEach(steps: readonly Step[]): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (const { what, undo } of steps.toReversed()) {
    try {
      await undo();
    } catch (error) {
      failures.push({ what, error });
    }
  }
  return failures;
}

/** The last one first, up to the first that fails. */
async function undoInTurn(steps: readonly Step[]): Promise<Failure[]> {
  for (const step of steps.toReversed()) {
    const failures = await undoEach([step]);
    if (failures.length > 0) return failures;
  }
  return [];
}
