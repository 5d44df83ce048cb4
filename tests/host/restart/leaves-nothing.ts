/** Daemons of one runtime, and tests after which the node is as it was. */
import assert from "node:assert/strict";
import { Crictl } from "../../support/daemon/crictl.ts";
import { type Daemon, type RuntimeName, startDaemon } from "../../support/daemon/index.ts";
import { differencesAfterSettling, takeInventory } from "../../support/node/index.ts";

/** A daemon; with the one before it, in its place. */
export type Start = (before?: Daemon) => Promise<Daemon>;

export function startWith(runtime: RuntimeName): Start {
  return (before) => startDaemon({ runtime, ...(before === undefined ? {} : { dir: before.dir }) });
}

export const open = (daemon: Daemon): Promise<Crictl> => Crictl.open(daemon.socket);

/** Runs a test, after which there must be nothing that was not there before. */
export async function leavesNothing(start: Start, test: () => Promise<void>): Promise<void> {
  const before = await takeInventory();
  try {
    await test();
  } catch (error) {
    await removeAll(start).catch((cause: unknown) => console.error("cleaning up failed:", cause));
    throw error;
  }
  assert.deepEqual(await differencesAfterSettling(before, { ignore: ["images"] }), []);
}

/** After a failure, so that the next test has its names and addresses. */
async function removeAll(start: Start): Promise<void> {
  await using daemon = await start();
  await (await open(daemon)).do("rmp", "--all", "--force");
}
