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

  add(what: string, undo: () => Promise<void> | void): void {
    this.#steps.push({ what, undo });
  }

  /** Forgets the steps: what was acquired stays. */
  keep(): void {
    this.#steps = [];
  }

  /** Undoes everything, last acquired first. Rejects with one Fault that names every step that failed. */
  async run(): Promise<void> {
    const failures: { what: string; error: unknown }[] = [];
    for (const { what, undo } of this.#steps.splice(0).reverse()) {
      try {
        await undo();
      } catch (error) {
        failures.push({ what, error });
      }
    }
    if (failures.length === 0) return;
    const list = failures.map(({ what, error }) => `${what}: ${reasonOf(error)}`).join("; ");
    throw new Fault("failed", `undoing failed for ${list}`, { cause: failures[0]?.error });
  }
}
