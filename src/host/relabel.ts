import { SerialWorker } from "./serial-worker.ts";
import { lgetxattr } from "./syscalls.ts";
import { workerFile } from "./worker-file.ts";

const timeoutMs = 10 * 60_000;
const idleMs = 30_000;

/** Gives SELinux labels to whole trees, in a worker thread that starts when needed and ends when idle. */
export class Relabeller {
  readonly #thread = new SerialWorker<{ readonly path: string; readonly label: string }, void>(
    workerFile(import.meta.url, "relabel-worker"),
    {
      name: "the relabelling worker",
      whenAbandoned: "terminate",
      idleMs,
      resourceLimits: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 },
    },
  );

  /** Follows no symbolic link. Rejects with Fault("deadline") after ten minutes, and with the kernel's words. */
  relabel(path: string, label: string): Promise<void> {
    return this.#thread.call({ path, label }, { what: `relabelling ${path}`, timeoutMs, signal: undefined });
  }

  /** Ends the thread; what is under way is rejected. */
  stop(): Promise<void> {
    return this.#thread.stop();
  }
}

/** The label of a file itself, "" without one. */
export function seLinuxLabelOf(path: string): string {
  return (lgetxattr(path, "security.selinux") ?? Buffer.alloc(0)).toString("utf8").replace(/\0$/, "");
}
