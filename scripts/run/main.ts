/** One pod on this machine, from nothing: see `./run` in the README. `--once` removes it again and ends. */
import { runDemo } from "./demo.ts";
import { Interrupt } from "./interrupt.ts";
import { fail } from "./say.ts";

const once = process.argv.includes("--once");
const unknown = process.argv.slice(2).filter((word) => word !== "--once");
if (unknown.length > 0) fail(`unknown argument ${unknown[0]}: ./run takes --once or nothing`);
const interrupt = new Interrupt();
try {
  await runDemo({ once, interrupt });
} catch (error) {
  if (!interrupt.signal.aborted) fail(error instanceof Error ? error.message : String(error));
}
