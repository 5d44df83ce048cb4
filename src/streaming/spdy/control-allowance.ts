import { limits } from "../limits.ts";

/** How many control frames a client may still send that no data pays for: a burst, then a steady trickle. */
export class ControlAllowance {
  #left: number = limits.controlBurst;
  #lastMs = performance.now();

  /** Uses one up; false when there is none. */
  spend(): boolean {
    if (this.#left < 1) {
      const now = performance.now();
      const earned = ((now - this.#lastMs) / 1000) * limits.controlPerSecond;
      this.#left = Math.min(limits.controlBurst, this.#left + earned);
      this.#lastMs = now;
    }
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
