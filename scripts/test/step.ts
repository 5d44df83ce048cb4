import { type Counts, failedStep } from "./counts.ts";

/** A part of the tests. */
export interface Step {
  /** The word by which `./test WORD` asks for it. */
  readonly part: string;
  /** "always": whatever is asked for. "named": only when asked for by name. Default: when asked for, and when nothing is. */
  readonly when?: "always" | "named";
  readonly name: string;
  readonly run: () => Promise<Counts>;
}

const tickMs = 30_000;

/** Runs a step, says that it goes on, how long it took and what came of it. */
export async function timed(step: Step): Promise<Counts> {
  const startMs = Date.now();
  const seconds = () => `${((Date.now() - startMs) / 1000).toFixed(0)} s`;
  process.stdout.write(`== ${step.name}\n`);
  const timer = setInterval(() => process.stdout.write(`   … ${step.name}: ${seconds()}\n`), tickMs);
  try {
    const counts = await step.run();
    const isRunner = counts.passed + counts.skipped > 0;
    const words = isRunner ? `${counts.passed} passed, ${counts.failed} failed, ` : counts.failed > 0 ? "failed, " : "";
    process.stdout.write(`   ${words}${seconds()}\n`);
    if (counts.output !== "") process.stdout.write(`${counts.output}\n`);
    return counts;
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stdout.write(`   failed, ${seconds()}\n${text}\n`);
    return failedStep(text);
  } finally {
    clearInterval(timer);
  }
}
