import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { deadline, Fault } from "../../base/index.ts";

/** How long conmon may take to open a log anew. */
const reopenTimeoutMs = 10_000;
const pollMs = 5;

/**
 * Tells conmon to open the container's log anew, after the kubelet has moved the old one away, and waits until the file is
 * there. Rejects when conmon is gone or does not answer.
 */
export async function reopenLog(bundle: string, logPath: string): Promise<void> {
  const before = await inodeOf(logPath);
  await writeControl(bundle, "2 0 0\n");
  using limit = deadline(reopenTimeoutMs, `waiting for conmon to reopen ${logPath}`);
  while ((await inodeOf(logPath)) === before) {
    limit.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Sets the size of a container's terminal, in character cells. */
export async function resizeTerminal(bundle: string, size: { readonly height: number; readonly width: number }) {
  const cell = (n: number) => Math.max(0, Math.min(1000, Math.trunc(n)));
  await writeControl(bundle, `1 ${cell(size.height)} ${cell(size.width)}\n`);
}

async function writeControl(bundle: string, line: string): Promise<void> {
  const path = join(bundle, "ctl");
  let fifo: import("node:fs/promises").FileHandle;
  try {
    // Without O_NONBLOCK, opening a fifo that no conmon reads would wait for ever.
    fifo = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new Fault("failed", `conmon does not listen on ${path}: it has ended, or never started`, { cause });
  }
  try {
    await fifo.write(line);
  } finally {
    await fifo.close();
  }
}

async function inodeOf(path: string): Promise<bigint | undefined> {
  return (await stat(path, { bigint: true }).catch(() => undefined))?.ino;
}
