import type { Expectation } from "./expected.ts";
import type { SpecResult } from "./specs.ts";

/** What a run of critest says of one spec, compared with what is expected of it. */
export type Verdict =
  | { readonly is: "as-expected"; readonly spec: SpecResult; readonly expectation?: Expectation }
  | { readonly is: "wrong"; readonly name: string; readonly why: string };

/** Compares a run with the list for it: every spec once, and every entry of the list that no spec answers to. */
export function judge(results: readonly SpecResult[], list: readonly Expectation[]): readonly Verdict[] {
  const open = new Map(list.map((expectation) => [expectation.spec, expectation]));
  const verdicts = results.map((spec): Verdict => {
    const expectation = open.get(spec.name);
    open.delete(spec.name);
    return verdictOn(spec, expectation);
  });
  const stale = [...open.keys()].map(
    (name): Verdict => ({ is: "wrong", name, why: "is on the list, but critest has no such spec" }),
  );
  return [...verdicts, ...stale];
}

function verdictOn(spec: SpecResult, expectation: Expectation | undefined): Verdict {
  const { name, outcome } = spec;
  const listed = expectation === undefined ? "passed" : outcomes[expectation.is];
  if (outcome === listed) return { is: "as-expected", spec, ...(expectation === undefined ? {} : { expectation }) };
  switch (outcome) {
    case "passed":
      return { is: "wrong", name, why: `passes now: take it off the list (it said: ${expectation?.why})` };
    case "skipped":
      return { is: "wrong", name, why: `was skipped: ${spec.message || "left out by a filter"}` };
    case "failed":
      return { is: "wrong", name, why: `${spec.message}\n${spec.output}` };
  }
}

const outcomes = { fails: "failed", skips: "skipped" } as const;
