/** The program: bundled to dist/crio.js and started by bin/crio. */
import { run } from "./run.ts";
import { processTerminal } from "./terminal.ts";

const status = await run(process.argv.slice(2), processTerminal());
// Not by process.exitCode: a handle somebody forgot must not keep a stopped daemon alive. Writes to standard output and standard
// error are done by then, they are synchronous on Linux.
process.exit(status);
