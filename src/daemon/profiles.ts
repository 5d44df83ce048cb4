import { writeFile } from "node:fs/promises";
import { Session } from "node:inspector/promises";
import { type Logger, reasonOf } from "../base/index.ts";

export interface Profiles {
  /** Where the CPU profile goes, in V8's format; empty for none. */
  readonly cpuFile: string;
  /** Where the profile of what is allocated and still in use goes, in V8's format; empty for none. */
  readonly heapFile: string;
  readonly log: Logger;
}

/** Profiles the daemon for its life (`--profile-cpu`, `--profile-mem`): disposing writes the files. Rejects when profiling cannot begin. */
export async function startProfiles({ cpuFile, heapFile, log }: Profiles): Promise<AsyncDisposable> {
  const session = new Session();
  session.connect();
  if (cpuFile !== "") {
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
  }
  if (heapFile !== "") {
    await session.post("HeapProfiler.enable");
    await session.post("HeapProfiler.startSampling");
  }
  const write = async (what: string, file: string, stop: () => Promise<{ readonly profile: object }>) => {
    if (file === "") return;
    try {
      const { profile } = await stop();
      await writeFile(file, JSON.stringify(profile), { mode: 0o600 });
      log.info(`wrote the ${what}`, { file });
    } catch (error) {
      log.error(`the ${what} cannot be written`, { file, error: reasonOf(error) });
    }
  };
  return {
    async [Symbol.asyncDispose]() {
      await write("CPU profile", cpuFile, () => session.post("Profiler.stop"));
      await write("heap profile", heapFile, () => session.post("HeapProfiler.stopSampling"));
      session.disconnect();
    },
  };
}
