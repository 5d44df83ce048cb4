import { findProcessesByArguments, killFound } from "../../host/index.ts";

const timeoutMs = 10_000;

/**
 * Ends a creation that nobody waits for any more: kills the conmon that carries it out and the runtime that it calls, until none is
 * left. A conmon whose daemon was killed goes on creating. Rejects with Fault("deadline") when one does not die.
 */
export async function endCreation(id: string): Promise<void> {
  const find = () => findProcessesByArguments((args) => isCreating(args, id));
  await killFound(find, { what: `ending the creation of container ${id}`, timeoutMs });
}

/** conmon has `-c ID`; the runtime `create … ID`, and so has its child until it becomes the container's first process. */
function isCreating(args: readonly string[], id: string): boolean {
  const flag = args.indexOf("-c");
  if (flag >= 0 && args[flag + 1] === id) return true;
  return args.includes("create") && args.at(-1) === id;
}
