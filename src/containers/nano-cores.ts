interface Sample {
  readonly atNs: bigint;
  readonly usageNanos: bigint;
  /** How fast it went up to this sample. */
  readonly nanoCores: bigint | undefined;
}

/** Two callers at the same moment would otherwise get the noise of the kernel's clock tick for an answer. */
const shortestNs = 100_000_000n;

/**
 * How fast CPU time is being used, from what a counter said before and says now (CRI's `usage_nano_cores`: 1 000 000 000 is one
 * CPU). Remembers one sample for each pod or container, by its record, and forgets it together with the record.
 */
export class NanoCores {
  readonly #last = new WeakMap<object, Sample>();

  /**
   * Takes the sample `usageNanos` of the thing whose record is `of`; `atNs` is a monotonic time. The speed since the sample before;
   * undefined for the first one, and for one that is lower than the one before, which begins anew. A sample less than a tenth of a
   * second after the one before is passed over, and the speed up to that one is given again.
   */
  rate(of: object, usageNanos: bigint, atNs: bigint): bigint | undefined {
    const last = this.#last.get(of);
    if (last === undefined || usageNanos < last.usageNanos) {
      this.#last.set(of, { atNs, usageNanos, nanoCores: undefined });
      return undefined;
    }
    const elapsedNs = atNs - last.atNs;
    if (elapsedNs < shortestNs) return last.nanoCores;
    const nanoCores = ((usageNanos - last.usageNanos) * 1_000_000_000n) / elapsedNs;
    this.#last.set(of, { atNs, usageNanos, nanoCores });
    return nanoCores;
  }
}
