export { type GuardOptions, type GuardReport, leakExitCode } from "./guard-options.ts";
export { guarded } from "./guarded.ts";
export {
  type Category,
  type CompareOptions,
  compareInventories,
  differencesAfterSettling,
  expectNoLeaks,
  type Inventory,
  type InventoryPaths,
  takeInventory,
} from "./inventory.ts";
export { type NodeOptions, type NodeResult, runInNode, type Share } from "./launch.ts";
