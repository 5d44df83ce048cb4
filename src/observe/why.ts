import type { Operation, Operations, Step } from "../base/index.ts";
import { readProcess } from "../host/index.ts";
import type { InspectState } from "./container-info.ts";
import { processTree, type WaitingProcess } from "./processes.ts";
import { remedyFor } from "./remedies.ts";
import { ageText, followed, innermost, pathOf, untilText, waitText } from "./waits.ts";

/** What one operation waits for. */
export interface Wait {
  /** The stages and steps around it, the outermost first. */
  readonly stages: readonly string[];
  readonly seconds: number;
  /** `"program"`, `"lock"` and so on; "" when it is at work itself. */
  readonly kind: string;
  readonly waitsFor: string;
  /** The program, its children, and what the kernel says of them. */
  readonly processes: readonly WaitingProcess[];
  /** What comes next if nothing happens. */
  readonly next: string;
  /** What an operator can do. */
  readonly remedy: string;
  /** Set where this is the work of another operation, for which the first waits. */
  readonly of?: string;
}

export interface StuckOperation {
  readonly name: string;
  readonly id: string;
  readonly about: readonly string[];
  readonly seconds: number;
  /** Whether the client has left, and the work goes on. */
  readonly abandoned: boolean;
  readonly waits: readonly Wait[];
}

export interface WhyAnswer {
  readonly operations: readonly StuckOperation[];
  /** All of it, ready to print. */
  readonly text: string;
}

/** What the operations in flight wait for: all, or those about an id, a name or the beginning of an id. Reads memory and /proc. */
export async function whyStuck(
  { operations, state }: { readonly operations: Operations; readonly state: InspectState },
  id: string | undefined,
): Promise<WhyAnswer> {
  const wanted = operations.running().filter((operation) => id === undefined || isAbout(operation, id, state));
  const found = await Promise.all(wanted.map(describe));
  return { operations: found, text: found.length === 0 ? nothingText(id) : found.map(operationText).join("\n") };
}

function isAbout(operation: Operation, id: string, { containers }: InspectState): boolean {
  if (operation.id === id) return true;
  for (const subject of operation.about) {
    const pod = containers.get(subject)?.record.podId;
    if (subject === id || (id.length >= 4 && (subject.startsWith(id) || pod?.startsWith(id)))) return true;
  }
  return false;
}

async function describe(operation: Operation): Promise<StuckOperation> {
  const steps = innermost(operation);
  const waits = await Promise.all(
    steps.flatMap((step) => [waitOf(step), ...followed(step).map((behind) => waitOf(behind, operationLabel(behind)))]),
  );
  return {
    name: operation.name,
    id: operation.id,
    about: [...operation.about],
    seconds: secondsSince(operation),
    abandoned: operation.hasEnded,
    waits,
  };
}

async function waitOf(step: Step, of?: string): Promise<Wait> {
  const { waitsFor, next } = step;
  const processes = await processesOf(step);
  const culprit = culpritOf(processes);
  const kernel = culprit === undefined ? "" : `, ${processText(culprit)}`;
  return {
    stages: pathOf(step),
    seconds: secondsSince(step),
    kind: waitsFor?.is ?? "",
    waitsFor: `${(await lockHolderText(step)) ?? waitText(waitsFor)}${kernel}`,
    processes,
    next: next === undefined ? "" : `it ${next.what} in ${untilText(next.atMs)}`,
    remedy: remedyFor(step, culprit),
    ...(of === undefined ? {} : { of }),
  };
}

async function processesOf({ waitsFor }: Step): Promise<readonly WaitingProcess[]> {
  if (waitsFor?.is === "process") return await processTree(waitsFor.pid);
  if (waitsFor?.is !== "program") return [];
  const pid = await waitsFor.pid();
  return pid === undefined ? [] : await processTree(pid);
}

/** The one that holds up the others: one that cannot go on by itself, or else the innermost, for which the others wait. */
function culpritOf(processes: readonly WaitingProcess[]): WaitingProcess | undefined {
  return processes.find(({ state, isFrozen }) => isFrozen || /^[DTt]$/.test(state)) ?? processes.at(-1);
}

/** The name of another process that holds a lock needs a look at it. */
async function lockHolderText({ waitsFor }: Step): Promise<string | undefined> {
  if (waitsFor?.is !== "lock") return undefined;
  const holder = waitsFor.holder();
  if (holder.is !== "process") return undefined;
  const command = (await readProcess(holder.pid))?.command ?? "gone";
  return `the lock of ${waitsFor.what}, which process ${holder.pid} (${command}) holds`;
}

const states: Readonly<Record<string, string>> = {
  R: "running",
  S: "sleeping",
  D: "waiting in the kernel, where no signal reaches it",
  T: "stopped by a signal",
  t: "stopped by a debugger",
  Z: "ended, its parent has not taken notice",
};

function processText({ pid, command, state, waitChannel, isFrozen }: WaitingProcess): string {
  const at = waitChannel === "" ? "" : ` at ${waitChannel}`;
  return `now in ${command} (pid ${pid}), state ${state}: ${isFrozen ? "frozen" : (states[state] ?? "unknown")}${at}`;
}

function operationText({ name, id, about, seconds, abandoned, waits }: StuckOperation): string {
  const head = `${name} for ${seconds.toFixed(1)} s (request ${id}${about.length === 0 ? "" : `, about ${about.join(", ")}`})`;
  const left = abandoned ? ["  its client has left; the work goes on"] : [];
  return [head, ...left, ...waits.flatMap(waitLines), ""].join("\n");
}

function waitLines({ stages, seconds, waitsFor, processes, next, remedy, of }: Wait): readonly string[] {
  const where = stages.length === 0 ? "at work" : `at: ${stages.join(" > ")}`;
  const chain = processes.map(({ command, pid }) => `${command} (${pid})`).join(" → ");
  return [
    `  ${of === undefined ? "" : `behind it, ${of} `}${where}, for ${seconds.toFixed(1)} s`,
    ...(waitsFor === "" ? [] : [`    waits for: ${waitsFor}`]),
    ...(processes.length < 2 ? [] : [`    processes: ${chain}`]),
    ...(next === "" ? [] : [`    next: ${next}`]),
    ...(remedy === "" ? [] : [`    what to do: ${remedy}`]),
  ];
}

function operationLabel({ operation }: Step): string {
  return `${operation.name} (request ${operation.id}, ${ageText(operation.startedMs)})`;
}

function secondsSince({ startedMs }: Step): number {
  return Math.round(performance.now() - startedMs) / 1000;
}

function nothingText(id: string | undefined): string {
  return id === undefined ? "No operation is in flight.\n" : `No operation about ${id.slice(0, 80)} is in flight.\n`;
}
