import { Fault, reasonOf } from "../base/index.ts";
import { parseMemorySize } from "./memory-size.ts";
import { emptyHandler, type RuntimeHandler } from "./table.ts";

/**
 * Parses an entry of `--runtimes`:
 * `name:path:root[:type[:privileged_without_host_devices[:config_path[:container_min_memory]]]]`.
 * The handler has these settings only. Throws `Fault("invalid")`.
 */
export function parseRuntimesFlag(entry: string): { readonly name: string; readonly handler: RuntimeHandler } {
  const fields = entry.split(":");
  const [name = "", path = "", root = "", type = "", privileged = "", configPath = "", minMemory = ""] = fields;
  if (fields.length < 3 || fields.length > 7 || name === "") {
    throw new Fault(
      "invalid",
      `wrong format for --runtimes: ${JSON.stringify(entry)} (name:path:root and up to four more fields)`,
    );
  }
  checkMemory(entry, minMemory);
  const handler: RuntimeHandler = {
    ...emptyHandler(),
    runtimePath: path,
    runtimeRoot: root,
    runtimeType: type,
    privilegedWithoutHostDevices: privileged === "true",
    runtimeConfigPath: configPath,
    containerMinMemory: minMemory,
  };
  return { name, handler };
}

function checkMemory(entry: string, size: string): void {
  if (size === "") return;
  try {
    parseMemorySize(size);
  } catch (error) {
    throw new Fault("invalid", `--runtimes ${JSON.stringify(entry)}: container_min_memory: ${reasonOf(error)}`);
  }
}
