import { fileURLToPath } from "node:url";
import { nodeBinary } from "../paths.ts";
import type { GuardOptions } from "./guard-options.ts";

/**
 * The command that runs another one under a guard: with the place's network, names, trust and registry, and with what it
 * leaves behind counted. For places that are fresh already, such as the virtual machine; `runInNode` does it by itself.
 */
export function guarded(options: GuardOptions): readonly string[] {
  return [
    nodeBinary,
    "--disable-warning=ExperimentalWarning",
    fileURLToPath(new URL("guard.ts", import.meta.url)),
    JSON.stringify(options),
  ];
}
