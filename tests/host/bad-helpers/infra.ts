/** An infra process that does not end when it is asked to. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { leavesNothing } from "../bad-input/refusal.ts";
import { hostNetworkPod, mode } from "../bad-input/scene.ts";
import type { Stage } from "./stage.ts";

export function infra(stage: () => Stage): void {
  describe("an infra process", () => {
    for (const handler of ["crun", "runc"]) {
      it(`that hangs does not use up the time of whoever stops its pod, with ${handler}`, async () => {
        const { runtime, image } = stage().cri;
        await image.pullImage({ image: { image: "registry.k8s.io/pause:3.10.1" } });
        const namespaceOptions = { network: mode.node, pid: mode.pod };
        const config = hostNetworkPod("hanging-infra", { linux: { securityContext: { namespaceOptions } } });
        await leavesNothing(async () => {
          const { podSandboxId } = await runtime.runPodSandbox({ config, runtimeHandler: handler });
          const { info } = await runtime.podSandboxStatus({ podSandboxId, verbose: true });
          const { pid } = JSON.parse(info["info"] ?? "{}") as { pid: number };
          process.kill(pid, "SIGSTOP"); // it will not see the stop signal
          await runtime.stopPodSandbox({ podSandboxId }, { deadlineMs: 20_000 });
          assert.equal(existsSync(`/proc/${pid}`), false);
          await runtime.removePodSandbox({ podSandboxId });
        });
      });
    }
  });
}
