import { Fault } from "../base/index.ts";
import { checkSysctlValue, sysctlComponents, sysctlOwner } from "./sysctl.ts";

export type NamespaceKind = "net" | "ipc" | "uts" | "user";

/** Where each new namespace is pinned: the file is made there and the namespace bound onto it. */
export interface NamespacePins {
  readonly net?: string;
  readonly ipc?: string;
  readonly uts?: string;
  /** With it, the others belong to the new user namespace. */
  readonly user?: string;
}

/** A line of uid_map: the ids from `containerId` on inside are those from `hostId` on outside. */
export interface IdMapping {
  readonly containerId: number;
  readonly hostId: number;
  readonly size: number;
}

export interface NamespacePlan {
  readonly pins: NamespacePins;
  /** At most 64 bytes. Needs `pins.uts`. */
  readonly hostname?: string;
  /** Each must belong to a namespace that is being made: `net.*` to net, `kernel.shm*`, `fs.mqueue.*` … to ipc. */
  readonly sysctls: readonly (readonly [name: string, value: string])[];
  /** Both needed with `pins.user`. */
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
}

/** Throws Fault("invalid") for a plan that would touch anything but the new namespaces, or that cannot be. */
export function checkNamespacePlan(plan: NamespacePlan): void {
  const kinds = pinnedKinds(plan.pins);
  if (kinds.length === 0) throw invalid("none is asked for");
  if (plan.hostname !== undefined) {
    if (plan.pins.uts === undefined) throw invalid("a hostname without a UTS namespace would rename the machine");
    if (!isHostname(plan.hostname)) throw invalid(`not a hostname: ${JSON.stringify(plan.hostname.slice(0, 100))}`);
  }
  for (const [name, value] of plan.sysctls) {
    const owner = sysctlOwner(sysctlComponents(name));
    if (owner === undefined)
      throw invalid(`sysctl ${name} does not belong to a namespace: it would change the machine`);
    if (plan.pins[owner] === undefined) {
      throw invalid(`sysctl ${name} needs a new ${owner} namespace: in the host's it would change the machine`);
    }
    checkSysctlValue(name, value);
  }
  checkMappings(plan);
}

/** The kinds of namespace that are to be pinned, user namespace first: the others are made in it. */
export function pinnedKinds(pins: NamespacePins): readonly NamespaceKind[] {
  const kinds: readonly NamespaceKind[] = ["user", "net", "ipc", "uts"];
  return kinds.filter((kind) => pins[kind] !== undefined);
}

/** The text of a uid_map or gid_map. */
export function idMapText(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerId, hostId, size }) => `${containerId} ${hostId} ${size}\n`).join("");
}

function checkMappings(plan: NamespacePlan): void {
  const { user } = plan.pins;
  for (const mappings of [plan.uidMappings, plan.gidMappings]) {
    if (user === undefined && mappings !== undefined) throw invalid("id mappings without a user namespace");
    if (user === undefined) continue;
    if (mappings === undefined || mappings.length === 0) throw invalid("a user namespace needs uid and gid mappings");
    // The kernel's limits: 340 lines, one page.
    if (mappings.length > 340 || idMapText(mappings).length >= 4096) throw invalid("too many id mappings");
    if (!mappings.every(isMapping)) throw invalid("an id mapping is out of range");
  }
}

function isMapping({ containerId, hostId, size }: IdMapping): boolean {
  const isId = (value: number) => Number.isInteger(value) && value >= 0 && value < 2 ** 32 - 1;
  const fits = containerId + size <= 2 ** 32 - 1 && hostId + size <= 2 ** 32 - 1;
  return isId(containerId) && isId(hostId) && isId(size) && size > 0 && fits;
}

function isHostname(text: string): boolean {
  return text.length > 0 && Buffer.byteLength(text) <= 64 && !/[\x00-\x20\x7f/]/.test(text);
}

function invalid(why: string): Fault {
  return new Fault("invalid", `making namespaces: ${why}`);
}
