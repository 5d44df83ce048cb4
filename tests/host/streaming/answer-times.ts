/** Asks a daemon for its version and its containers twenty times a second, until standard input ends; then says how long it took. */
import { once } from "node:events";
import { constants, setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { openCri } from "../../support/daemon/cri.ts";

setPriority(constants.priority.PRIORITY_NORMAL); // of those that started it, some are low
using cri = openCri(process.argv[2] ?? "");
await cri.runtime.version({}); // connects
process.stdout.write("ready\n");
const everyMs = 50;
const times: number[] = [];
const ended = once(process.stdin.resume(), "end").then(() => true);
do {
  const began = performance.now();
  await Promise.all([cri.runtime.version({}), cri.runtime.listContainers({})]);
  times.push(performance.now() - began);
} while (!(await Promise.race([ended, sleep(everyMs, false)])));
times.sort((a, b) => a - b);
const at = (share: number) => Math.round(times[Math.floor((times.length - 1) * share)] ?? 0);
const within = times.filter((ms) => ms <= 50).length;
process.stdout.write(
  `${times.length} asked, ${((100 * within) / times.length).toFixed(1)} % answered within 50 ms; median ${at(0.5)} ms, 99 % within ${at(0.99)} ms, longest ${at(1)} ms\n`,
);
