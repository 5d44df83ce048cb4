import { chmod, chown, stat } from "node:fs/promises";
import { dirname } from "node:path";

const search = 0o001;
const searchByGroup = 0o010;

/**
 * Lets the root of a container with a user namespace, whose group is `gid` on the host, come to its layer's directory, as the OCI
 * runtimes do once they are that root. Everybody may then pass, but not list, the directories above; into the layer's own comes only
 * that group. The layers of images stay closed.
 */
export async function openEntrance(layerDirectory: string, gid: number): Promise<void> {
  const { mode } = await stat(layerDirectory);
  await chown(layerDirectory, 0, gid);
  await chmod(layerDirectory, (mode & 0o7777) | searchByGroup);
  for (let above = dirname(layerDirectory); above !== "/"; above = dirname(above)) {
    const { mode: now } = await stat(above);
    if ((now & search) === 0) await chmod(above, (now & 0o7777) | search);
  }
}
