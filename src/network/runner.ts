import type { findProgram, runProgram } from "../host/index.ts";

/** How other programs are found and run: `host/` in the daemon, a stand-in where a test needs one to be missing. */
export interface Runner {
  readonly runProgram: typeof runProgram;
  readonly findProgram: typeof findProgram;
}
