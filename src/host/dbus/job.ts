import { Fault, untilAborted } from "../../base/index.ts";
import type { Linked } from "./systemd-link.ts";
import type { UnitName } from "./unit-name.ts";
import type { DbusValue } from "./value.ts";

/** How a job of systemd ended: `done`, or why not. */
export type JobResult = string;

/**
 * Has systemd queue a job for `unit` (by `ask`, which gives the call's results) and waits for its end.
 * Rejects with what `ask` rejects with, with Fault("unavailable") when the connection is lost meanwhile, or the signal's reason.
 */
export async function runJob(
  linked: Linked,
  unit: UnitName,
  ask: () => Promise<readonly DbusValue[]>,
  signal: AbortSignal,
): Promise<JobResult> {
  const { promise: ended, resolve, reject } = Promise.withResolvers<JobResult>();
  const results = new Map<string, JobResult>(); // of this unit's jobs, few: one may end before we learn our job's path
  let ours: DbusValue | undefined;
  using _listening = linked.onManagerSignal("JobRemoved", ([, path, name, result]) => {
    if (name !== unit || typeof path !== "string" || typeof result !== "string") return;
    if (path === ours) resolve(result);
    else if (ours === undefined) results.set(path, result);
  });
  using _watching = linked.connection.onLoss(reject);
  ended.catch(() => {}); // the connection may be lost while the call itself is under way, which reports it
  [ours] = await ask();
  if (typeof ours !== "string") throw new Fault("corrupt", `systemd named no job for ${unit}`);
  const early = results.get(ours);
  return early ?? (await untilAborted(ended, signal)); // await: the listeners end with this function
}
