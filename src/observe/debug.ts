import type { Profiler } from "node:inspector/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Operation, Operations, Step } from "../base/index.ts";

const longestProfileS = 300;
const defaultProfileS = 30;

/** What takes the place of a dump of goroutines: what the event loop has open, and every operation in flight with its open steps. */
export function activityText(operations: Operations): string {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return [
    `node ${process.version}, pid ${process.pid}, up ${Math.floor(process.uptime())} s`,
    `memory: resident ${mib(rss)}, heap ${mib(heapUsed)} of ${mib(heapTotal)}, outside of it ${mib(external)}`,
    "",
    "open in the event loop:",
    ...[...counts].sort(([a], [b]) => a.localeCompare(b)).map(([kind, count]) => `  ${count} ${kind}`),
    "",
    `operations in flight: ${operations.count}`,
    ...operations.running().flatMap((operation) => linesOf(operation)),
    "",
  ].join("\n");
}

function linesOf(operation: Operation): readonly string[] {
  const head = `${operation.name} [${seconds(operation)}] id=${operation.id}`;
  return ["", head, ...operation.open.flatMap((step) => stepLines(step, 1))];
}

function stepLines(step: Step, depth: number): readonly string[] {
  const line = `${"  ".repeat(depth)}${step.name} [${seconds(step)}]${step.waitsFor === undefined ? "" : ` ${step.waitsFor.is}`}`;
  return [line, ...step.open.flatMap((inner) => stepLines(inner, depth + 1))];
}

function seconds({ startedMs }: Step): string {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
}

/** A CPU profile of the main thread over the next seconds, in V8's format (`.cpuprofile`). */
export async function cpuProfile(secondsAsked: string | null): Promise<string> {
  const asked = Number(secondsAsked ?? defaultProfileS);
  const length = Number.isFinite(asked) && asked > 0 ? Math.min(asked, longestProfileS) : defaultProfileS;
  const { Session } = await import("node:inspector/promises"); // costs memory; nobody else needs it
  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
    await delay(length * 1000, undefined, { ref: false });
    const { profile }: { profile: Profiler.Profile } = await session.post("Profiler.stop");
    return JSON.stringify(profile);
  } finally {
    session.disconnect();
  }
}
