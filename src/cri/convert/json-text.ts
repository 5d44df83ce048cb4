import { runtimeJson } from "../../oci/index.ts";

/** The JSON of a verbose answer; it may hold a runtime spec, whose 64-bit integers keep all their digits. */
export function jsonText(value: object): string {
  return runtimeJson(value as Parameters<typeof runtimeJson>[0]); // it writes any tree of plain values
}
