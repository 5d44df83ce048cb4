/** The daemon ends, in order or not, and another one takes its place: containers neither notice nor are lost. */

import { describe, it } from "node:test";
import { noCrictl } from "../support/daemon/crictl.ts";
import type { RuntimeName } from "../support/daemon/index.ts";
import { cutOff, retried } from "./restart/creations.ts";
import { damaged } from "./restart/damage.ts";
import { endAlone, endOfInfra, endUnseen } from "./restart/ends.ts";
import { leavesNothing as nodeAsBefore, open, startWith } from "./restart/leaves-nothing.ts";
import { pullCutOff } from "./restart/pull.ts";
import { survive } from "./restart/survivors.ts";

for (const runtime of ["crun", "runc"] as const satisfies readonly RuntimeName[]) {
  const start = startWith(runtime);
  const leavesNothing = (test: () => Promise<void>) => () => nodeAsBefore(start, test);

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
  });
}
