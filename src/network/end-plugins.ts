import { findProcessesByVariable, killFound } from "../host/index.ts";

const timeoutMs = 10_000;

/**
 * Kills the plugins that a daemon which was killed has left at work for a container: one that goes on with ADD would attach what DEL
 * has just given back. Found by the identity that every plugin, and what it starts, has in its environment.
 */
export async function endPlugins(containerId: string): Promise<void> {
  const find = () => findProcessesByVariable("CNI_CONTAINERID", containerId);
  await killFound(find, { what: `ending the CNI plugins of ${containerId}`, timeoutMs });
}
