/** The daemon ends, in order or not, and another one takes its place: containers neither notice nor are lost. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Crictl, noCrictl } from "../support/daemon/crictl.ts";
import { type Daemon, type RuntimeName, startDaemon } from "../support/daemon/index.ts";
import { differencesAfterSettling, takeInventory } from "../support/node/index.ts";
import { cutOff, retried } from "./restart/creations.ts";
import { damaged } from "./restart/damage.ts";
import { endAlone, endOfInfra, endUnseen } from "./restart/ends.ts";
import { killAtRandom } from "./restart/kills.ts";
import { pullCutOff } from "./restart/pull.ts";
import { survive } from "./restart/survivors.ts";

/** For each runtime. */
const kills = Number(process.env.CRIO_TS_KILLS ?? 15);

for (const runtime of ["crun", "runc"] as const satisfies readonly RuntimeName[]) {
  const start = (before?: Daemon) => startDaemon({ runtime, ...(before === undefined ? {} : { dir: before.dir }) });
  const open = (daemon: Daemon) => Crictl.open(daemon.socket);
  const leavesNothing = (test: () => Promise<void>) => async () => {
    const before = await takeInventory();
    try {
      await test();
    } catch (error) {
      await removeAll(start, open).catch((cause: unknown) => console.error("cleaning up failed:", cause));
      throw error;
    }
    assert.deepEqual(await differencesAfterSettling(before, { ignore: ["images"] }), []);
  };

  describe(`a restart with ${runtime}`, { skip: noCrictl }, () => {
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      it(
        `after ${signal} finds every pod and container as it was, and can use them`,
        leavesNothing(() => survive(start, open, signal)),
      );
    }

    it(
      "tells how and when containers ended while it was away",
      leavesNothing(() => endAlone(start, open)),
    );

    it(
      "makes no exit code up for a container whose monitor was killed too, and removes it",
      leavesNothing(() => endUnseen(start, open)),
    );

    it(
      "says that a pod is not ready once its infra process has ended",
      leavesNothing(() => endOfInfra(start, open)),
    );

    it(
      "undoes a creation that was under way, whatever has become of its programs",
      leavesNothing(() => cutOff(runtime)),
    );

    it(
      "gives a client that gave up and asks again what it asked for first",
      leavesNothing(() => retried(runtime)),
    );

    // The runtime has no part in these.
    if (runtime === "crun") {
      it(
        "takes away what a pull that was cut off has left",
        leavesNothing(() => pullCutOff(start, open)),
      );

      it(
        "lists what it cannot read as lost, to be removed, and all the rest as it was",
        leavesNothing(() => damaged(start, open)),
      );
    }

    it("leaves nothing half made wherever SIGKILL hits it", async (t) => {
      const seed = Number(process.env.CRIO_TS_SEED ?? 20_261);
      t.diagnostic(`CRIO_TS_SEED=${seed}`);
      const log = (line: string) => t.diagnostic(line);
      await leavesNothing(() => killAtRandom({ start, open, kills, seed, log }))();
    });
  });
}

/** After a failure, so that the next test has its names and addresses. */
async function removeAll(start: () => Promise<Daemon>, open: (daemon: Daemon) => Promise<Crictl>): Promise<void> {
  await using daemon = await start();
  await (await open(daemon)).do("rmp", "--all", "--force");
}
