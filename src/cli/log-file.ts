import { writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { Fault, reasonOf } from "../base/index.ts";

/** A file that lines are appended to. */
export interface LogFile {
  /** Returns at once; the line is written soon, in its turn. */
  write(line: string): void;
  /** Resolves when every line is on disk. */
  close(): Promise<void>;
}

/** What may wait for a slow disk; what comes on top is counted instead of kept. */
const maxWaitingChars = 4 << 20;

/**
 * Opens a log for appending. Writes go to disk before they count as done (O_SYNC, as in CRI-O), but off the main thread, for a
 * slow disk must not hold up the daemon. When the process ends all the same, what waits is written at once.
 * Rejects with a Fault when the file cannot be opened. A line that cannot be written is lost: there is nowhere left to say so.
 */
export async function openLogFile(path: string): Promise<LogFile> {
  const file = await openForAppend(path);
  let waiting: string[] = [];
  let waitingChars = 0;
  let dropped = 0;
  let draining: Promise<void> | undefined;

  const take = (): string => {
    if (dropped > 0) waiting.push(`level=warning msg="log lines dropped: the disk is too slow" lines=${dropped}\n`);
    const text = waiting.join("");
    [waiting, waitingChars, dropped] = [[], 0, 0];
    return text;
  };
  const drain = async (): Promise<void> => {
    while (waiting.length > 0) await file.appendFile(take()).catch(() => {});
    draining = undefined;
  };
  const atExit = () => void writeSync(file.fd, take());
  process.on("exit", atExit);

  return {
    write(line) {
      if (waitingChars + line.length > maxWaitingChars) {
        dropped++;
        return;
      }
      waiting.push(line);
      waitingChars += line.length;
      draining ??= drain();
    },
    async close() {
      await draining;
      process.off("exit", atExit);
      await file.close();
    },
  };
}

async function openForAppend(path: string) {
  try {
    return await open(path, "as", 0o666);
  } catch (error) {
    throw new Fault("failed", `cannot open the log file ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
