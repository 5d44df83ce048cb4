/** CNI plugins, OCI runtimes and monitors that fail, hang, die and lie, and a disk that is full: one request fails, in words. */
import { after, afterEach, before, describe } from "node:test";
import { cni, missingPlugin } from "./bad-helpers/cni.ts";
import { command } from "./bad-helpers/command.ts";
import { conmon } from "./bad-helpers/conmon.ts";
import { fullDisk } from "./bad-helpers/full-disk.ts";
import { infra } from "./bad-helpers/infra.ts";
import { runtime } from "./bad-helpers/runtime.ts";
import { heal, openStage, type Stage } from "./bad-helpers/stage.ts";

describe("bad helpers", () => {
  let stage: Stage | undefined;
  before(async () => {
    stage = await openStage();
  });
  afterEach(() => heal());
  after(() => stage?.[Symbol.asyncDispose]());
  const open = (): Stage => {
    if (stage === undefined) throw new Error("the daemon did not start");
    return stage;
  };

  cni(open);
  runtime(open);
  command(open);
  conmon(open);
  infra(open);
});

missingPlugin();
fullDisk();
