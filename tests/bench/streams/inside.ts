/** Measures the subjects in turn, in a throw-away node, and prints a table. */
import { startDaemon } from "../../support/daemon/index.ts";
import { startContainerd } from "./containerd.ts";
import { execOverSpdy, execOverWebSocket, firstByteMs, portForward, type Transfer } from "./measure.ts";
import { type Subject, subject } from "./subject.ts";

const [rounds = 5, mib = 512] = process.argv.slice(2, 4).map(Number);
const only = process.argv[4] ?? "";
const bytes = mib << 20;
const firstBytes = rounds * 8;

const transfers: readonly (readonly [name: string, transfer: Transfer])[] = [
  ["exec stdout, SPDY", execOverSpdy],
  ["exec stdout, WebSocket", execOverWebSocket],
  ["port-forward, SPDY", portForward],
];

await using crio = await startDaemon({ flags: ["--log-level", "info"] });
await using containerd = await startContainerd(`${crio.dir}/net.d`);
const lines: string[] = [];
for (const runtime of ["runc", "crun"]) {
  await using ours = await subject("crio-ts", crio.socket, runtime);
  await using theirs = containerd === undefined ? undefined : await subject("containerd", containerd.socket, runtime);
  const subjects: readonly Subject[] = theirs === undefined ? [ours] : [ours, theirs];
  for (const [name, transfer] of transfers) {
    if (!`${name}, ${runtime}`.includes(only)) continue;
    const rates = await inTurn(subjects, rounds, (each) => transfer(each, bytes));
    lines.push(line(`${name}, ${runtime}`, "MB/s", rates, 0));
  }
  if (!`exec to first byte, ${runtime}`.includes(only)) continue;
  const times = await inTurn(subjects, firstBytes, firstByteMs);
  lines.push(line(`exec to first byte, ${runtime}`, "ms", times, 1));
}
process.stdout.write(
  `median (lowest – highest) of ${rounds} transfers of ${mib} MiB, and of ${firstBytes} first bytes\n`,
);
for (const each of lines) process.stdout.write(`${each}\n`);

/** One unmeasured, then so many of each subject, one after the other. */
async function inTurn(
  subjects: readonly Subject[],
  times: number,
  measure: (subject: Subject) => Promise<number>,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const results = new Map<string, number[]>(subjects.map(({ name }) => [name, []]));
  for (const each of subjects) await measure(each);
  for (let round = 0; round < times; round++) {
    for (const each of subjects) results.get(each.name)?.push(await measure(each));
  }
  return results;
}

function line(name: string, unit: string, results: ReadonlyMap<string, readonly number[]>, digits: number): string {
  const parts = [...results].map(([subject, values]) => {
    const sorted = values.toSorted((a, b) => a - b);
    const at = (share: number) => (sorted[Math.round((sorted.length - 1) * share)] ?? 0).toFixed(digits);
    return `${subject} ${at(0.5)} ${unit} (${at(0)} – ${at(1)})`.padEnd(38);
  });
  return `${name.padEnd(30)} ${parts.join(" ")}`;
}
