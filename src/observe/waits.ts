import type { Operation, Step, WaitsFor } from "../base/index.ts";

/** The open steps of an operation that have none within them: what it really waits for. */
export function innermost(step: Step): readonly Step[] {
  return step.open.length === 0 ? (step.hasEnded ? [] : [step]) : step.open.flatMap(innermost);
}

/** The names of the steps around one, the outermost first, without the operation itself. */
export function pathOf(step: Step): readonly string[] {
  return step.parent === undefined ? [] : [...pathOf(step.parent), step.name];
}

/** The same, of other calls' work that is waited for too, up to some depth: two may wait for each other. */
export function followed(step: Step, depth = 4): readonly Step[] {
  const { waitsFor } = step;
  const behind = depth > 0 ? stepBehind(waitsFor) : undefined;
  return behind === undefined ? [] : innermost(behind).flatMap((each) => [each, ...followed(each, depth - 1)]);
}

/** The step of somebody else that a wait is for. */
export function stepBehind(waitsFor: WaitsFor | undefined): Step | undefined {
  if (waitsFor?.is === "work") return waitsFor.step;
  if (waitsFor?.is !== "lock") return undefined;
  const holder = waitsFor.holder();
  return holder.is === "step" ? holder.step : undefined;
}

const longestText = 2000;

/** What an operation waits for, on one line, from what is in memory; "" when it waits for nothing that has a name. */
export function waitsText(operation: Operation): string {
  const texts = innermost(operation)
    .filter((step) => step !== operation)
    .map((step) => [step, ...followed(step)].map(stepText).join("; that one is at: "));
  return texts.join("; and at: ").slice(0, longestText);
}

/** One step on one line: where it is, how long, for what it waits, and what comes next. */
export function stepText(step: Step): string {
  const where = pathOf(step).join(" > ") || step.name;
  const next = step.next === undefined ? "" : `, which ${step.next.what} in ${untilText(step.next.atMs)}`;
  const waits = waitText(step.waitsFor);
  return `${where} for ${ageText(step.startedMs)}${waits === "" ? "" : `, waiting for ${waits}`}${next}`;
}

/** For what, in words, from what is in memory. */
export function waitText(waitsFor: WaitsFor | undefined): string {
  switch (waitsFor?.is) {
    case undefined:
      return "";
    case "program": {
      const pid = waitsFor.pid();
      return `the program \`${waitsFor.command}\`${typeof pid === "number" ? ` (pid ${pid})` : ""}`;
    }
    case "process":
      return `${waitsFor.what} (pid ${waitsFor.pid})`;
    case "lock":
      return `the lock of ${waitsFor.what}, which ${holderText(waitsFor)}`;
    case "work":
      return `what ${waitsFor.step.operation.name} (id ${waitsFor.step.operation.id}) has begun`;
    case "server":
      return `${waitsFor.phase()} from ${waitsFor.url}`;
    case "path":
      return `the file system: ${waitsFor.path}`;
    case "condition":
      return `${waitsFor.what}: ${waitsFor.why()}`;
  }
}

function holderText({ holder }: Extract<WaitsFor, { readonly is: "lock" }>): string {
  const found = holder();
  if (found.is === "process") return `process ${found.pid} holds`;
  if (found.is === "unknown") return "somebody else holds";
  return `${found.step.operation.name} (id ${found.step.operation.id}) holds`;
}

export function ageText(startedMs: number): string {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
}

export function untilText(atMs: number): string {
  return `${Math.max(0, (atMs - performance.now()) / 1000).toFixed(0)} s`;
}
