/** The daemon is killed at random instants of pods' lives, and another one takes its place: nothing is half made. */
import { describe, it } from "node:test";
import { noCrictl } from "../support/daemon/crictl.ts";
import type { RuntimeName } from "../support/daemon/index.ts";
import { killAtRandom } from "./restart/kills.ts";
import { leavesNothing, open, startWith } from "./restart/leaves-nothing.ts";

/** For each runtime. */
const kills = Number(process.env.CRIO_TS_KILLS ?? 15);
const seed = Number(process.env.CRIO_TS_SEED ?? 20_261);

for (const runtime of ["crun", "runc"] as const satisfies readonly RuntimeName[]) {
  const start = startWith(runtime);

  describe(`kills with ${runtime}`, { skip: noCrictl }, () => {
    it("leaves nothing half made wherever SIGKILL hits it", async (t) => {
      t.diagnostic(`CRIO_TS_SEED=${seed}`);
      const log = (line: string) => t.diagnostic(line);
      await leavesNothing(start, () => killAtRandom({ start, open, kills, seed, log }));
    });
  });
}
