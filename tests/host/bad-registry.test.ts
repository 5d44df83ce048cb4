/** Registries and images that fail, stall, lie or attack: a pull fails in words and leaves nothing, and succeeds once the cause is gone. */
import { after, before, describe } from "node:test";
import { openScene, type Scene } from "./bad-input/scene.ts";
import { brokenAnswers } from "./bad-registry/answers.ts";
import { credentials } from "./bad-registry/credentials.ts";
import { hostileLayers } from "./bad-registry/hostile-layers.ts";
import { progressTimeout, waiting } from "./bad-registry/waiting.ts";

describe("bad registries", () => {
  let scene: Scene | undefined;
  before(async () => {
    scene = await openScene({ flags: ["--log-level", "trace"] });
  });
  after(() => scene?.[Symbol.asyncDispose]());
  const open = (): Scene => {
    if (scene === undefined) throw new Error("the daemon did not start");
    return scene;
  };

  brokenAnswers(open);
  waiting(open);
  hostileLayers(open);
  credentials(open);
});

progressTimeout();
