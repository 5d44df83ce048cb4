import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Where a pod's own namespaces are pinned: the name of each file is the pod's id. */
export interface Pins {
  readonly net: string;
  readonly ipc: string;
  readonly uts: string;
  readonly user: string;
}

/** The pins of a pod below `namespaces_dir`, as CRI-O lays the directories out. */
export function namespacePins(namespacesDir: string, podId: string): Pins {
  return {
    net: join(namespacesDir, "netns", podId),
    ipc: join(namespacesDir, "ipcns", podId),
    uts: join(namespacesDir, "utsns", podId),
    user: join(namespacesDir, "userns", podId),
  };
}

/** Makes the directories that hold the pins. */
export async function makePinDirectories(namespacesDir: string): Promise<void> {
  const pins = Object.values(namespacePins(namespacesDir, "x"));
  for (const pin of pins) await mkdir(dirname(pin), { recursive: true, mode: 0o755 });
}
