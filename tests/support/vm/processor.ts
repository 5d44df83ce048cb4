import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** The number of the processor that gains most idle time in a tenth of a second. */
export async function idlestProcessor(): Promise<number> {
  const idle = () => cpus().map((processor) => processor.times.idle);
  const before = idle();
  await sleep(100);
  const gained = idle().map((now, index) => now - (before[index] ?? 0));
  return gained.indexOf(Math.max(...gained));
}
