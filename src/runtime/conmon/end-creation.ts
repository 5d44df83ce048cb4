import { setTimeout as delay } from "node:timers/promises";
import { deadline } from "../../base/index.ts";
import { findProcessesByArguments, signalSameProcess } from "../../host/index.ts";

const timeoutMs = 10_000;
const pollMs = 10;
const sigkill = 9;

/**
 * Ends a creation that nobody waits for any more: kills the conmon that carries it out and the runtime that it calls, until none is
 * left. A conmon whose daemon was killed goes on creating. Rejects with Fault("deadline") when one does not die.
 */
export async function endCreation(id: string): Promise<void> {
  using limit = deadline(timeoutMs, `ending the creation of container ${id}`);
  for (;;) {
    const found = await findProcessesByArguments((args) => isCreating(args, id));
    const alive = found.filter(({ state }) => state !== "Z" && state !== "X");
    if (alive.length === 0) return;
    for (const process of alive) await signalSameProcess(process, sigkill);
    await delay(pollMs);
    limit.throwIfAborted();
  }
}

/** conmon has `-c ID`; `runtime … create … ID` keeps its arguments in the process that becomes the container's first. */
function isCreating(args: readonly string[], id: string): boolean {
  const words = args.at(-1) === "" ? args.slice(0, -1) : args;
  if (words[words.indexOf("-c") + 1] === id && words.includes("-c")) return true;
  return words.includes("create") && words.at(-1) === id;
}
