import { Fault, isFault } from "../base/index.ts";

/** Throws what was collected, if anything: a Fault alone as it is, several as one that says all of them. */
export function throwAll(faults: readonly Fault[]): void {
  const [first] = faults;
  if (first === undefined) return;
  if (faults.length === 1) throw first;
  const message = faults.map((fault) => fault.message).join("; ");
  throw new Fault(first.code, message, { cause: new AggregateError(faults, message) });
}

/** What {@link throwAll} put into one error, again one by one; any other error is itself. */
export function allFaults(error: unknown): readonly unknown[] {
  if (!isFault(error)) return [error];
  if (error.cause instanceof AggregateError) return error.cause.errors.flatMap((each: unknown) => allFaults(each));
  // A step that was named in front keeps the whole as its cause.
  const inner = isFault(error.cause) ? allFaults(error.cause) : [];
  return inner.length > 1 ? inner : [error];
}
