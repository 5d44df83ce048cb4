export { type KnownCdiEdits, type KnownDeviceNode, specWithCdi } from "./apply.ts";
export { annotatedCdiDevices, editsForCdi, type RankedCdiSpec } from "./registry.ts";
export { type CdiDeviceNode, type CdiEdits, type CdiSpec, parseCdiName, parseCdiSpec } from "./spec-file.ts";
