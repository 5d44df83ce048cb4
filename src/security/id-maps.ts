import { Fault } from "../base/index.ts";
import type { IdMapping } from "../host/index.ts";
import type { LinuxIdMapping } from "../oci/index.ts";

/** Ids are 32 bits; the last one means "no id" to the kernel. */
export const maxId = 0xffff_fffe;

/** The kernel takes 340 lines in a uid_map. */
const maxMappings = 340;

/**
 * Parses `c:h:s,…` (ids from `c` on inside are those from `h` on outside, `s` of them), as `uid_mappings` of the configuration
 * and annotations have it. Rejects with Fault("invalid") for anything else, empty text included.
 */
export function parseIdMappings(text: string): readonly IdMapping[] {
  const mappings = text.split(",").map((part) => parseMapping(part, text));
  checkIdMappings(mappings);
  return mappings;
}

/**
 * Whether the kernel would take the mappings: at least one, whole ids, no id mapped twice on either side.
 * Rejects with Fault("invalid").
 */
export function checkIdMappings(mappings: readonly IdMapping[]): void {
  const bad = (why: string) => new Fault("invalid", `invalid id mappings ${idMappingsText(mappings)}: ${why}`);
  if (mappings.length === 0) throw bad("there is none");
  if (mappings.length > maxMappings) throw bad(`more than ${maxMappings}`);
  for (const { containerId, hostId, size } of mappings) {
    if (![containerId, hostId, size].every((id) => Number.isInteger(id) && id >= 0)) throw bad("not whole numbers");
    if (size === 0) throw bad("a size is 0");
    if (containerId + size - 1 > maxId || hostId + size - 1 > maxId) throw bad("a range ends beyond the last id");
  }
  for (const side of ["containerId", "hostId"] as const) {
    const sorted = mappings.toSorted((a, b) => a[side] - b[side]);
    const overlaps = sorted.some((mapping, i) => i > 0 && endOf(sorted[i - 1], side) > mapping[side]);
    if (overlaps) throw bad("ranges overlap");
  }
}

/** `c:h:s,…` again. */
export function idMappingsText(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerId, hostId, size }) => `${containerId}:${hostId}:${size}`).join(",");
}

/** Whether the id inside is mapped at all. */
export function containsId(mappings: readonly IdMapping[], containerId: number): boolean {
  return toHostId(mappings, containerId) !== undefined;
}

/** The id outside of an id inside; undefined when it is not mapped. */
export function toHostId(mappings: readonly IdMapping[], containerId: number): number | undefined {
  const range = mappings.find(
    (mapping) => containerId >= mapping.containerId && containerId < endOf(mapping, "containerId"),
  );
  return range === undefined ? undefined : range.hostId + (containerId - range.containerId);
}

/** The id inside of an id outside; undefined when it is not mapped. */
export function toContainerId(mappings: readonly IdMapping[], hostId: number): number | undefined {
  const range = mappings.find((mapping) => hostId >= mapping.hostId && hostId < endOf(mapping, "hostId"));
  return range === undefined ? undefined : range.containerId + (hostId - range.hostId);
}

/** The highest id inside that is mapped. */
export function highestContainerId(mappings: readonly IdMapping[]): number {
  return Math.max(...mappings.map((mapping) => endOf(mapping, "containerId") - 1));
}

/** As the OCI runtime spec writes them. */
export function linuxIdMappings(mappings: readonly IdMapping[]): readonly LinuxIdMapping[] {
  return mappings.map(({ containerId, hostId, size }) => ({ containerID: containerId, hostID: hostId, size }));
}

function endOf(mapping: IdMapping | undefined, side: "containerId" | "hostId"): number {
  return mapping === undefined ? 0 : mapping[side] + mapping.size;
}

function parseMapping(part: string, text: string): IdMapping {
  const [, container, host, size] = /^(\d{1,10}):(\d{1,10}):(\d{1,10})$/.exec(part) ?? [];
  if (container === undefined) {
    throw new Fault("invalid", `invalid id mapping "${text}": each must be container-id:host-id:size`);
  }
  return { containerId: Number(container), hostId: Number(host), size: Number(size) };
}
