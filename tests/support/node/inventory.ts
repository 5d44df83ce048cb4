import { setTimeout as sleep } from "node:timers/promises";
import {
  listImages,
  listLayers,
  listLeases,
  listPinnedNamespaces,
  listRuntimeState,
  listStoreContainers,
} from "./inventory-files.ts";
import {
  listCgroups,
  listInterfaces,
  listMounts,
  listNetworkNamespaces,
  listPortRules,
  listProcesses,
} from "./inventory-kernel.ts";

/** What an inventory counts. */
export type Category =
  | "mounts"
  | "network namespaces"
  | "interfaces"
  | "port rules"
  | "cgroups"
  | "processes"
  | "address leases"
  | "layers"
  | "images"
  | "stored containers"
  | "pinned namespaces"
  | "runtime state";

/** Everything of a node that a pod or container can leave behind, as one readable line per thing. */
export type Inventory = ReadonlyMap<Category, readonly string[]>;

export interface InventoryPaths {
  /** containers/storage graph root and run root. */
  readonly graphRoot: string;
  readonly runRoot: string;
}

export interface CompareOptions {
  readonly ignore?: readonly Category[];
  /** How long the place may take to settle. Default: five seconds. */
  readonly settleMs?: number;
  readonly paths?: InventoryPaths;
}

export const defaultPaths: InventoryPaths = {
  graphRoot: "/var/lib/containers/storage",
  runRoot: "/run/containers/storage",
};

/** Lists what is there now. The caller's own process is left out. */
export async function takeInventory(paths: InventoryPaths = defaultPaths): Promise<Inventory> {
  const processes = await listProcesses();
  return new Map<Category, readonly string[]>([
    ["mounts", await listMounts()],
    ["network namespaces", await listNetworkNamespaces()],
    ["interfaces", await listInterfaces()],
    ["port rules", await listPortRules()],
    ["cgroups", await listCgroups()],
    ["processes", processes],
    ["address leases", await listLeases()],
    ["layers", await listLayers(paths)],
    ["images", await listImages(paths)],
    ["stored containers", await listStoreContainers(paths)],
    ["pinned namespaces", await listPinnedNamespaces()],
    ["runtime state", await listRuntimeState()],
  ]);
}

/** What `after` has that `before` had not, or had fewer times: lines such as `mounts: /run/netns/x nsfs`. */
export function compareInventories(
  before: Inventory,
  after: Inventory,
  ignore: readonly Category[] = [],
): readonly string[] {
  const differences: string[] = [];
  for (const [category, things] of after) {
    if (ignore.includes(category)) continue;
    const unmatched = [...(before.get(category) ?? [])];
    for (const thing of things) {
      const index = unmatched.indexOf(thing);
      if (index >= 0) unmatched.splice(index, 1);
      else differences.push(`${category}: ${thing}`);
    }
  }
  return differences;
}

/** Compares with now, again and again until nothing is left over or the time is up; returns what stays. */
export async function differencesAfterSettling(
  before: Inventory,
  options: CompareOptions = {},
): Promise<readonly string[]> {
  const end = Date.now() + (options.settleMs ?? 5_000);
  for (;;) {
    const differences = compareInventories(before, await takeInventory(options.paths), options.ignore);
    if (differences.length === 0 || Date.now() >= end) return differences;
    await sleep(100);
  }
}

/** Rejects with a readable list when something is left over compared with `before`. */
export async function expectNoLeaks(before: Inventory, options: CompareOptions = {}): Promise<void> {
  const differences = await differencesAfterSettling(before, options);
  if (differences.length > 0) throw new Error(`left over:\n${differences.map((line) => `  ${line}`).join("\n")}`);
}
