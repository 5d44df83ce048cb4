/** What a step of the tests came to. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What to show of it when it failed, or was skipped. */
  readonly output: string;
}

export const none: Counts = { passed: 0, failed: 0, skipped: 0, output: "" };

export function sum(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    output: a.output + b.output,
  };
}

/** A step that is no test runner failed as a whole. */
export function failedStep(output: string): Counts {
  return { passed: 0, failed: 1, skipped: 0, output };
}

/** A result with what the tests left behind in their node or guest, which has failed them already. */
export function leftOver(counts: Counts, leaks: readonly string[]): Counts {
  return leaks.length === 0 ? counts : { ...counts, output: `${counts.output}left over: ${leaks.join("; ")}\n` };
}

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The closing lines of Node's test runner (`ℹ pass 12`). A runner that did not get so far, or ended badly, counts as one failure. */
export function countsOf({ code, stdout, stderr }: Finished): Counts {
  const output = `${stdout}${stderr}`;
  const count = (word: string) => Number(new RegExp(`^ℹ ${word} (\\d+)$`, "m").exec(output)?.[1] ?? Number.NaN);
  const [passed, failed, cancelled] = [count("pass"), count("fail"), count("cancelled")];
  // The runner does not count a suite that is skipped as a whole.
  const skipped = Math.max(count("skipped"), skippedLines(output).length) + count("todo");
  if ([passed, failed, cancelled, skipped].some(Number.isNaN)) return failedStep(output);
  const bad = failed + cancelled;
  const unexplained = code !== 0 && bad === 0 ? 1 : 0;
  return {
    passed,
    failed: bad + unexplained,
    skipped,
    output: bad + unexplained === 0 ? skippedLines(output).join("") : failures(output),
  };
}

/** What the runner repeats of failures at its end, or the end of it all. */
function failures(output: string): string {
  const from = output.indexOf("✖ failing tests:");
  return from === -1 ? output.slice(-20_000) : output.slice(from);
}

/** Which tests were skipped, with their reasons. */
function skippedLines(output: string): string[] {
  return output
    .split("\n")
    .filter((line) => /^\s*﹣ .*#/.test(line))
    .map((line) => `${line.trim()}\n`);
}
