import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { nodeBinary } from "../../support/paths.ts";
import { say } from "./full.ts";

/** Measures how long other calls take while something goes on, from a process that has nothing else to do; says it at the end. */
export async function whileAsking<T>(socket: string, what: string, work: () => Promise<T>): Promise<T> {
  const script = fileURLToPath(new URL("answer-times.ts", import.meta.url));
  const child = spawn(nodeBinary, ["--disable-warning=ExperimentalWarning", script, socket], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const said = child.stdout.toArray();
  const closed = once(child, "close");
  try {
    return await work();
  } finally {
    child.stdin.end();
    await closed;
    say(
      `${what}: other calls: ${Buffer.concat(await said)
        .toString()
        .trim()}`,
    );
  }
}
