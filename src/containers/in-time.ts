import { deadline, errnoOf, inStep, untilAborted, withStep } from "../base/index.ts";

/** A host path may lie on a file system whose server is gone: nobody waits for it longer than this. */
const lookTimeoutMs = 30_000;

/** Does something with paths of the host that may never end. Rejects with what was being done, and why it failed. */
export async function inTime<T>(what: string, work: () => Promise<T>): Promise<T> {
  const next = { atMs: performance.now() + lookTimeoutMs, what: "is given up" };
  using limit = deadline(lookTimeoutMs, what);
  try {
    return await inStep(what, () => untilAborted(work(), limit), {
      waitsFor: { is: "path", path: what },
      next: () => next,
    });
  } catch (error) {
    throw errnoOf(error) === undefined ? error : withStep(what, error);
  }
}
