import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Logger, localTimestamp, reasonOf } from "../base/index.ts";

/**
 * Answers the two signals that tell about, or relieve, a running daemon, in place of what they do to a Go program: SIGUSR1 writes what it is
 * doing to a file (stacks, handles that are open, memory), SIGUSR2 collects garbage. Disposing ends that.
 */
export function answerDebugSignals(log: Logger): Disposable {
  const dump = () => {
    // Not to be foretold by others: the directory may be everybody's, and a dump tells of the node.
    const path = join(tmpdir(), `crio-goroutine-stacks-${localTimestamp(new Date())}.log`);
    writeFile(path, reportText(), { flag: "wx", mode: 0o600 }).then(
      () => log.info("wrote what the daemon is doing", { file: path }),
      (error: unknown) =>
        log.error("what the daemon is doing cannot be written", { file: path, error: reasonOf(error) }),
    );
  };
  const collect = () => {
    setFlagsFromString("--expose-gc");
    const gc: unknown = runInNewContext("gc");
    if (typeof gc === "function") gc();
    const { rss, heapUsed } = process.memoryUsage();
    log.info("collected garbage", { residentBytes: rss, heapBytes: heapUsed });
  };
  process.on("SIGUSR1", dump).on("SIGUSR2", collect);
  return {
    [Symbol.dispose]() {
      process.off("SIGUSR1", dump).off("SIGUSR2", collect);
    },
  };
}

/** Without the environment, which may hold secrets and which the reports of worker threads repeat, and without asking name servers. */
function reportText(): string {
  Object.assign(process.report, { excludeNetwork: true }); // not in the types yet
  const withoutEnvironment = (key: string, value: unknown) => (key === "environmentVariables" ? undefined : value);
  return `${JSON.stringify(process.report.getReport(), withoutEnvironment, 2)}\n`;
}
