/** Monitors that die, hang and lie, before and after they have said the pid (issue: Bad input; reference: conmon.md 2). */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { eventually } from "../../support/daemon/crictl.ts";
import { expectRefusal, leavesNothing } from "../bad-input/refusal.ts";
import { type CreateRequest, execText, goodContainer, hostNetworkPod, withContainer } from "../bad-input/scene.ts";
import { failsUntilHealed, folder, heal, type Stage, setMode } from "./stage.ts";

const path = `${folder}/conmon -r /usr/bin/crun`;
const undecodable = "error reading container \\(probably exited\\) json message";

/** What it does at create, and the answer to the caller. */
const ways: readonly (readonly [mode: string, words: string])[] = [
  ["words", `${path}: ${undecodable}: it wrote nothing: exit status 1: conmon will not`],
  ["silent", `${path}: ${undecodable}: it wrote nothing`],
  ["die", `${path}: ${undecodable}: it wrote nothing: signal 9`],
  ["garbage", `${path}: ${undecodable}: it wrote "this is no JSON"`],
  ["endless", `${path}: conmon's message is over 1048576 bytes.*`],
  ["says-no", "conmon says no"],
  ["after", `${path}: ${undecodable}: it wrote nothing.*`],
];

export function conmon(stage: () => Stage): void {
  describe("a monitor", () => {
    const sandboxConfig = hostNetworkPod("monitor");
    let podSandboxId = "";
    before(async () => {
      const request = { config: sandboxConfig, runtimeHandler: "monitored" };
      ({ podSandboxId } = await stage().cri.runtime.runPodSandbox(request));
    });
    after(async () => {
      await heal();
      await stage().cri.runtime.removePodSandbox({ podSandboxId });
    });
    const request = (): CreateRequest => ({ podSandboxId, sandboxConfig, config: goodContainer("app") });
    const create = () => stage().cri.runtime.createContainer(request());
    const works = () => withContainer(stage().cri, request(), async () => {});

    for (const [mode, words] of ways) {
      it(`that does ${mode} at create: the container fails in words, nothing is left, and it can be created later`, async () => {
        const refusal = { details: new RegExp(`^container create failed: ${words}$`) };
        await failsUntilHealed(stage(), { helper: "conmon", mode, request: create, refusal, works });
      });
    }

    it("that hangs at create lets its caller go, who gets the container when it goes on", async () => {
      const { cri, checkBystander } = stage();
      await leavesNothing(async () => {
        await setMode("conmon", "hang");
        const call = cri.runtime.createContainer(request(), { deadlineMs: 700 });
        await expectRefusal(call, { code: status.DEADLINE_EXCEEDED, details: /./ });
        await checkBystander();
        await heal();
        await works();
      });
    });

    it("that names a process that is not there: the container is not started, and is gone", async () => {
      const { cri } = stage();
      await leavesNothing(async () => {
        await setMode("conmon", "lies");
        const { containerId } = await create();
        const details = new RegExp(`^failed to start container ${containerId}: .*start ${containerId}\` failed: `);
        await expectRefusal(cri.runtime.startContainer({ containerId }), { details });
        await heal();
        const { containers } = await cri.runtime.listContainers({ filter: { podSandboxId } });
        assert.deepEqual(containers, []);
        await works();
      });
    });

    it("that dies with its container running: the container goes on, can be stopped, and no exit code is made up", async () => {
      const { cri, checkBystander } = stage();
      await leavesNothing(() =>
        withContainer(cri, request(), async (containerId) => {
          const pidFile = `/run/containers/storage/overlay-containers/${containerId}/userdata/conmon-pidfile`;
          process.kill(Number(await readFile(pidFile, "utf8")), "SIGKILL");
          assert.equal(await execText(cri, containerId, "echo", "here"), "here\n");
          await cri.runtime.stopContainer({ containerId, timeout: 0n });
          const now = await eventually("it is known to have ended", async () => {
            const answer = await cri.runtime.containerStatus({ containerId });
            return answer.status?.state === 1 ? undefined : answer.status;
          });
          assert.equal(now.state, 3, "nobody saw how it ended");
          assert.match(now.message, /monitor \(conmon\)/);
          await checkBystander();
        }),
      );
    });
  });
}
