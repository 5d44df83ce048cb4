import { Fault } from "../base/index.ts";
import type { StringMap } from "../state/index.ts";

const maxLabelBytes = 4096;

/** Rejects labels that are longer than CRI-O takes them. */
export function checkLabels(labels: StringMap): void {
  for (const [key, value] of Object.entries(labels)) {
    if (Buffer.byteLength(key) + Buffer.byteLength(value) <= maxLabelBytes) continue;
    const limit = `label key and value greater than maximum size (${maxLabelBytes} bytes)`;
    throw new Fault("invalid", `${limit}, key: ${key.slice(0, 10)}`);
  }
}
