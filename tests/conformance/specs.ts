/** One spec of a run of critest, as ginkgo's JSON report has it. */
export interface SpecResult {
  /** The texts from the outermost container to the spec, joined as ginkgo prints them. */
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** Why it failed or was skipped; empty where it passed. */
  readonly message: string;
  readonly seconds: number;
  /** What critest wrote while it ran: its steps and what the daemon answered. */
  readonly output: string;
}

/** The parts of ginkgo's report that are used here (github.com/onsi/ginkgo/v2/types.Report). */
interface SuiteReport {
  readonly SpecReports?: readonly SpecReport[];
  readonly SpecialSuiteFailureReasons?: readonly string[] | null;
}

interface SpecReport {
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly LeafNodeType: string;
  readonly LeafNodeText: string;
  /** `"passed" | "skipped" | "pending" | "failed" | "aborted" | "panicked" | "interrupted" | "timedout"`. */
  readonly State: string;
  readonly RunTime: number;
  readonly Failure?: { readonly Message?: string };
  readonly CapturedGinkgoWriterOutput?: string;
}

const nanosPerSecond = 1e9;

/** Reads ginkgo's JSON report. Specs that a filter left out are skipped ones, with an empty message. Throws on anything else. */
export function parseReport(text: string): readonly SpecResult[] {
  const suites = JSON.parse(text) as readonly SuiteReport[]; // written by the program under our own hand
  const specs = suites.flatMap((suite) => suite.SpecReports ?? []).filter((spec) => spec.LeafNodeType === "It");
  if (specs.length === 0) {
    const why = suites.flatMap((suite) => suite.SpecialSuiteFailureReasons ?? []);
    throw new Error(`critest reported no specs: ${why.join("; ") || text.slice(0, 200)}`);
  }
  return specs.map(resultFrom);
}

function resultFrom(spec: SpecReport): SpecResult {
  return {
    name: [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].join(" "),
    outcome: outcomeFrom(spec.State),
    message: spec.Failure?.Message ?? "",
    seconds: spec.RunTime / nanosPerSecond,
    output: spec.CapturedGinkgoWriterOutput ?? "",
  };
}

function outcomeFrom(state: string): SpecResult["outcome"] {
  if (state === "passed") return "passed";
  return state === "skipped" || state === "pending" ? "skipped" : "failed";
}
