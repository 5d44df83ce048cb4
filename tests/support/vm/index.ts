export { runGuardedInVm } from "./guarded.ts";
export { guestImage } from "./image.ts";
export { guestKernel } from "./kernel.ts";
export { type GuestShare, runInVm, type VmOptions, type VmResult } from "./run.ts";
