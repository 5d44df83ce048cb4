import { reasonOf } from "../../base/index.ts";
import { runProgramOk } from "../../host/index.ts";
import type { RuntimeFeatures } from "../handler.ts";

/** What probing a runtime told: its version line, and its features or why it would not say them. */
export interface RuntimeProbe {
  readonly version: string;
  readonly features: RuntimeFeatures;
  readonly why?: string;
}

const probeTimeoutMs = 30_000;

/**
 * Asks a runtime for `--version` and `features` (OCI runtime specification, "Feature Structure").
 * A runtime without `features` is taken to have none of them.
 */
export async function probeRuntime(path: string, kernelHasRecursiveReadOnly: boolean): Promise<RuntimeProbe> {
  let version = "";
  try {
    version =
      (await runProgramOk(path, ["--version"], { timeoutMs: probeTimeoutMs })).stdout.toString().split("\n")[0] ?? "";
    const { stdout } = await runProgramOk(path, ["features"], { timeoutMs: probeTimeoutMs });
    return { version, features: featuresOf(JSON.parse(stdout.toString()), kernelHasRecursiveReadOnly) };
  } catch (error) {
    return { version, features: { idmappedMounts: false, recursiveReadOnly: false }, why: reasonOf(error) };
  }
}

function featuresOf(document: unknown, kernelHasRecursiveReadOnly: boolean): RuntimeFeatures {
  const options = at(document, "mountOptions");
  return {
    idmappedMounts: at(document, "linux", "mountExtensions", "idmap", "enabled") === true,
    recursiveReadOnly: kernelHasRecursiveReadOnly && Array.isArray(options) && options.includes("rro"),
  };
}

function at(value: unknown, ...path: readonly string[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== "object" || here === null) return undefined;
    here = Reflect.get(here, key);
  }
  return here;
}
