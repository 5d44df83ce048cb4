/** The daemon ends in the middle of pulls and removals: nothing is half there, and the next one fetches only what is missing. */
import { describe, it } from "node:test";
import { finishedLayersStay } from "./pull-kills/finished-layers.ts";
import { killAtRandom } from "./pull-kills/random.ts";

/** 200 by scripts/torture-pulls.ts. */
const kills = Number(process.env.CRIO_TS_PULL_KILLS ?? 8);
const seed = Number(process.env.CRIO_TS_SEED ?? 20_263);

describe("a daemon that ends while it pulls", () => {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`by ${signal}, leaves the layers that had arrived, and no half ones; the next fetches the others alone`, () =>
      finishedLayersStay(signal));
  }

  it("at random instants of pulls and removals, lists no image that is not whole, and the next pull heals the rest", async (t) => {
    t.diagnostic(`CRIO_TS_SEED=${seed}`);
    await killAtRandom({ kills, seed, log: (line) => t.diagnostic(line) });
  });
});
