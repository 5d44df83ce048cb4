import { nodeBinary } from "../../tests/support/paths.ts";
import { runGuardedInVm } from "../../tests/support/vm/index.ts";
import type { Clients } from "./clients.ts";
import { type Counts, countsOf, leftOver, sum } from "./counts.ts";
import { fileTimeoutMs, testFlags } from "./test-runner.ts";

/** Runs files of tests, one after the other, in one virtual machine. Its system calls are slow: it has three times as long. */
export async function inGuest(files: readonly string[], { env, counts }: Clients): Promise<Counts> {
  const done = await runGuardedInVm({
    command: [nodeBinary, ...testFlags, "--test-concurrency=1", ...files],
    env: { CRIO_TS_KILLS: "3", ...env },
    timeoutMs: fileTimeoutMs * 3,
    onOutput: outcomes((line) => process.stdout.write(`   ${line}\n`)),
  });
  return sum(counts, leftOver(countsOf({ code: done.code, stdout: done.output, stderr: "" }), done.leaks));
}

/** Picks the outcomes of whole suites out of what the runner prints: a guest takes minutes, and it is good to know how far it is. */
function outcomes(say: (line: string) => void): (text: string) => void {
  let rest = "";
  let isOver = false;
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      isOver ||= line.startsWith("ℹ tests ");
      if (!isOver && /^[✔✖] /.test(line)) say(line);
    }
  };
}
