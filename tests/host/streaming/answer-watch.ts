import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { nodeBinary } from "../../support/paths.ts";
import { say } from "./full.ts";

/** Measures how long other calls take while something goes on, from a process that has nothing else to do; says it at the end. */
export async function whileAsking<T>(socket: string, what: string, work: () => Promise<T>): Promise<T> {
  const script = fileURLToPath(new URL("answer-times.ts", import.meta.url));
  const child = spawn(nodeBinary, ["--disable-warning=ExperimentalWarning", script, socket], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next(); // it is connected
  const closed = once(child, "close");
  try {
    return await work();
  } finally {
    child.stdin.end();
    say(`${what}: other calls: ${(await lines.next()).value}`);
    await closed;
  }
}
