/** The rules of `promtool check metrics` that the text format and Prometheus' naming guide give, over one scrape. */

/** Names that are not ours to choose: CRI-O's own, which its users' alerts have, and the library's. */
const givenNames: ReadonlySet<string> = new Set([
  "container_runtime_crio_containers_stopped_monitor_count",
  "container_runtime_crio_resources_stalled_at_stage",
  "container_runtime_crio_operations_latency_seconds_total",
  "container_runtime_crio_image_pulls_layer_size",
  "nodejs_active_resources_total",
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
]);

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: [""],
  gauge: [""],
  summary: ["", "_sum", "_count"],
  histogram: ["_bucket", "_sum", "_count"],
};

/** Everything of a scrape, and what is wrong with it. */
export function lint(text: string): {
  readonly families: ReadonlyMap<string, Family>;
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  const families = new Map<string, Family & { readonly samples: Sample[] }>();
  const helped = new Set<string>();
  let current: (Family & { readonly samples: Sample[] }) | undefined;
  if (!text.endsWith("\n")) problems.push("the last line has no end");
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [, word, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (word === "HELP" && name !== undefined) {
      if (helped.has(name)) problems.push(`${name}: a second HELP`);
      if (rest === "") problems.push(`${name}: an empty HELP`);
      helped.add(name);
    } else if (word === "TYPE" && name !== undefined && rest !== undefined) {
      if (families.has(name)) problems.push(`${name}: a second TYPE`);
      if (!helped.has(name)) problems.push(`${name}: no HELP before its TYPE`);
      current = { name, type: rest, samples: [] };
      families.set(name, current);
      problems.push(...namingProblems(name, rest));
    } else {
      const sample = sampleOf(line);
      if (sample === undefined) problems.push(`not a sample: ${line}`);
      else if (current === undefined || !isOf(current, sample)) problems.push(`${sample.name}: not after its TYPE`);
      else current.samples.push(sample);
    }
  }
  for (const { name, type, samples } of families.values()) {
    const seen = new Set<string>();
    for (const sample of samples) {
      const key = sample.name + JSON.stringify(Object.entries(sample.labels).sort());
      if (seen.has(key)) problems.push(`${name}: twice the same ${key}`);
      seen.add(key);
      if (type === "counter" && !(sample.value >= 0)) problems.push(`${name}: a counter of ${sample.value}`);
    }
  }
  return { families, problems };
}

function isOf(family: Family, sample: Sample): boolean {
  return (suffixes[family.type] ?? []).some((suffix) => sample.name === family.name + suffix);
}

function namingProblems(name: string, type: string): readonly string[] {
  const problems: string[] = [];
  if (suffixes[type] === undefined) problems.push(`${name}: no such type: ${type}`);
  if (!/^[a-z_:][a-z0-9_:]*$/.test(name)) problems.push(`${name}: not in snake case`);
  if (givenNames.has(name)) return problems;
  if (type === "counter" && !name.endsWith("_total")) problems.push(`${name}: a counter should end in _total`);
  if (type !== "counter" && name.endsWith("_total")) problems.push(`${name}: only a counter should end in _total`);
  if (/_(bucket|count|sum)$/.test(name)) problems.push(`${name}: ends like a part of a histogram`);
  if (/_(milliseconds|ms|kilobytes|megabytes|mib|kib|minutes|hours|percent)(_|$)/.test(name)) {
    problems.push(`${name}: not in a base unit`);
  }
  if (/(^|_)(counter|gauge|histogram|summary)(_|$)/.test(name)) problems.push(`${name}: has its type in its name`);
  return problems;
}

function sampleOf(line: string): Sample | undefined {
  const [, name, labels = "", text] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined || text === undefined) return undefined;
  const pairs = [...labels.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?/g)];
  if (pairs.map(([whole]) => whole).join("") !== labels) return undefined;
  const value =
    text === "+Inf" ? Number.POSITIVE_INFINITY : text === "Nan" || text === "NaN" ? Number.NaN : Number(text);
  return { name, labels: Object.fromEntries(pairs.map(([, key = "", label = ""]) => [key, label])), value };
}
