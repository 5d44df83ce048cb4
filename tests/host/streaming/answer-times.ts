/** Asks a daemon for its version and its containers twenty times a second; says at each line of standard input how long that took since the last. */
import { constants, setPriority } from "node:os";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { openCri } from "../../support/daemon/cri.ts";

const everyMs = 50;
setPriority(constants.priority.PRIORITY_NORMAL); // of those that start it, some are low
const cri = openCri(process.argv[2] ?? "");
let times: number[] = [];

async function ask(): Promise<void> {
  const began = performance.now();
  await Promise.all([cri.runtime.version({}), cri.runtime.listContainers({})]);
  times.push(performance.now() - began);
}

async function tell(): Promise<void> {
  await ask(); // one that began after the last thing that was done
  const sorted = times.toSorted((a, b) => a - b);
  times = [];
  const at = (share: number) => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0);
  const within = (100 * sorted.filter((ms) => ms <= 50).length) / sorted.length;
  process.stdout.write(
    `${sorted.length} asked, ${within.toFixed(1)} % answered within 50 ms; median ${at(0.5)} ms, 99 % within ${at(0.99)} ms, longest ${at(1)} ms\n`,
  );
}

createInterface({ input: process.stdin })
  .on("line", () => void tell())
  .once("close", () => process.exit());
await ask();
process.stdout.write("ready\n");
for (;;) {
  await sleep(everyMs);
  await ask();
}
