import { constants } from "node:fs";
import { open, opendir } from "node:fs/promises";
import { errnoOf } from "../base/index.ts";

/** A path this long plus one more name still fits into PATH_MAX. */
const longestPath = 2048;

/**
 * Visits the cgroup at `directory` and all below it, children before their parent. What vanishes meanwhile is passed over.
 * A container that owns its cgroups can nest them deeper than a path can be long: from there on the paths go through an
 * open directory. Rejects with what `visit` rejects with, or with the signal's reason.
 */
export async function visitTree(
  directory: string,
  visit: (directory: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  try {
    if (directory.length > longestPath) {
      await using handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
      await visitChildren(`/proc/self/fd/${handle.fd}`, visit, signal);
    } else {
      await visitChildren(directory, visit, signal);
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    return;
  }
  await visit(directory);
}

async function visitChildren(
  directory: string,
  visit: (directory: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  // One entry after the other: how many there are is the container's choice.
  for await (const entry of await opendir(directory)) {
    if (entry.isDirectory()) await visitTree(`${directory}/${entry.name}`, visit, signal);
  }
}
