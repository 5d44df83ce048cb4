import { stat } from "node:fs/promises";
import { errnoOf, reasonOf } from "../base/index.ts";
import { parseDevice } from "./device.ts";
import { handlerProblem } from "./handlers.ts";
import { type Source, sourceText } from "./layer.ts";
import type { Option, OptionValue } from "./option.ts";
import { fieldOf } from "./option.ts";
import { type Config, resourceOptions, rows, valueAt, type Workload, workloadOptions } from "./table.ts";
import { timezoneProblem } from "./timezone.ts";

/** Something in the configuration that stops the daemon. */
export interface Problem {
  /** The key, with its table: `crio.runtime.log_size_max`. */
  readonly key: string;
  /** `"config"` stops `crio config` too; `"start"` the daemon only. */
  readonly stops: "config" | "start";
  readonly message: string;
  readonly source: Source | undefined;
}

/**
 * Every problem of a completed configuration that can be seen without running or creating anything; devices and time zones are
 * looked up on this host. Empty when all is well. The daemon adds what only using the values can show: programs, profiles,
 * sockets, directories.
 */
export async function validateConfig(
  config: Config,
  sources: ReadonlyMap<string, Source> = new Map(),
): Promise<readonly Problem[]> {
  const found = [
    ...rowProblems(config),
    ...pathProblems(config),
    ...apiProblems(config),
    ...runtimeProblems(config),
    ...workloadProblems(config),
    ...(await hostProblems(config)),
  ];
  return found.map((problem) => withSource(problem, sources));
}

/** A problem with where its value comes from: the option's own place, or that of its table. */
export function withSource(problem: Omit<Problem, "source">, sources: ReadonlyMap<string, Source>): Problem {
  return { ...problem, source: sources.get(problem.key) ?? sources.get(tableOf(problem.key)) };
}

/** A problem as one line: `/etc/crio/crio.conf, line 12: crio.runtime.log_size_max: …`. */
export function problemText({ key, message, source }: Problem): string {
  const where = source === undefined || source.is === "default" ? "" : `${sourceText(source)}: `;
  return `${where}${key}: ${message}`;
}

type Found = Omit<Problem, "source">;

function rowProblems(config: Config): readonly Found[] {
  return rows.flatMap((row) => {
    const message = checked(row.option, valueAt(config, row));
    return message === undefined ? [] : [{ key: row.path, stops: row.option.checkedAt ?? "config", message }];
  });
}

/** What is relative would mean another file to each program that reads it, and to the daemon wherever it is started. */
function pathProblems(config: Config): readonly Found[] {
  return rows.flatMap((row) => {
    if (row.option.isPath !== true) return [];
    const value = valueAt(config, row);
    const paths = typeof value === "string" ? [value] : Array.isArray(value) ? value : [];
    const relative = paths.find((path) => path !== "" && !path.startsWith("/"));
    if (relative === undefined) return [];
    const message = `${JSON.stringify(relative)} is not an absolute path: begin it with a slash`;
    return [{ key: row.path, stops: "start", message }];
  });
}

function checked(option: Option, value: OptionValue): string | undefined {
  return option.check?.(value as never); // the value was decoded as the kind of this very option
}

function apiProblems({ api, crio }: Config): readonly Found[] {
  const found: Found[] = [];
  const missing = (key: string, what: string) =>
    found.push({ key: "crio.api.stream_enable_tls", stops: "config", message: `needs a ${what} file: set ${key}` });
  if (api.streamEnableTls && api.streamTlsCert === "") missing("stream_tls_cert", "certificate");
  if (api.streamEnableTls && api.streamTlsKey === "") missing("stream_tls_key", "key");
  if (crio.imagestore !== "" && crio.imagestore === crio.root) {
    found.push({ key: "crio.imagestore", stops: "start", message: "imagestore must be another directory than root" });
  }
  return found;
}

function runtimeProblems(config: Config): readonly Found[] {
  const { defaultRuntime } = config.runtime;
  const handler = config.runtimes.get(defaultRuntime);
  if (handler === undefined) {
    const known = [...config.runtimes.keys()].join(", ") || "none";
    const message = `default_runtime ${JSON.stringify(defaultRuntime)} is not in [crio.runtime.runtimes], which has ${known}`;
    return [{ key: "crio.runtime.default_runtime", stops: "config", message }];
  }
  const problem = handlerProblem(config, defaultRuntime, handler);
  if (problem === undefined) return [];
  return [{ key: `crio.runtime.runtimes.${defaultRuntime}`, stops: "start", message: problem }];
}

function workloadProblems(config: Config): readonly Found[] {
  return [...config.workloads].flatMap(([name, workload]) => {
    const key = `crio.runtime.workloads.${name}`;
    return workloadMessages(workload).map((message): Found => ({ key, stops: "config", message }));
  });
}

function workloadMessages(workload: Workload): readonly string[] {
  const resources = workload.resources;
  const messages = [
    ...checkedFields(workloadOptions, workload),
    ...(resources === undefined ? [] : checkedFields(resourceOptions, resources)),
  ];
  if (resources !== undefined && resources.cpuquota !== 0n && resources.cpuquota < resources.cpushares) {
    messages.push(`cpuquota ${resources.cpuquota} cannot be less than cpushares ${resources.cpushares}`);
  }
  return messages;
}

function checkedFields(options: Readonly<Record<string, Option>>, values: object): string[] {
  const byField: ReadonlyMap<string, OptionValue> = new Map(Object.entries(values));
  return Object.entries(options).flatMap(([key, option]) => {
    const value = byField.get(fieldOf(key, option.kind));
    const message = value === undefined ? undefined : checked(option, value);
    return message === undefined ? [] : [message];
  });
}

async function hostProblems({ runtime }: Config): Promise<readonly Found[]> {
  const devices = await Promise.all(runtime.additionalDevices.map(deviceProblem));
  const zone = await timezoneProblem(runtime.timezone);
  return [
    ...devices.map((message) => ({ key: "crio.runtime.additional_devices", message })),
    { key: "crio.runtime.timezone", message: zone },
  ].flatMap(({ key, message }) => (message === undefined ? [] : [{ key, stops: "config", message }]));
}

async function deviceProblem(text: string): Promise<string | undefined> {
  let source: string;
  try {
    source = parseDevice(text).source;
  } catch {
    return undefined; // the row's own check says so
  }
  try {
    const found = await stat(source);
    return found.isBlockDevice() || found.isCharacterDevice() ? undefined : `${source} is not a device`;
  } catch (error) {
    return errnoOf(error) === "ENOENT" ? `device ${source} does not exist` : `device ${source}: ${reasonOf(error)}`;
  }
}

function tableOf(key: string): string {
  return key.slice(0, key.lastIndexOf("."));
}
