/** OCI runtimes that fail, hang or die at each of their commands (issue: Bad input). */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { eventually } from "../../support/daemon/crictl.ts";
import { type Inventory, takeInventory } from "../../support/node/index.ts";
import { expectAsBefore, expectRefusal, leavesNothing } from "../bad-input/refusal.ts";
import {
  type CreateRequest,
  goodContainer,
  hostNetworkPod,
  mode as namespaceMode,
  withContainer,
  withPod,
} from "../bad-input/scene.ts";
import { failsUntilHealed, folder, heal, type Stage, setMode } from "./stage.ts";

const late = { code: status.DEADLINE_EXCEEDED, details: /./ };

/** States of a container in CRI. */
const [isCreated, isRunning] = [0, 1];

export function runtime(stage: () => Stage): void {
  const hung = hungCreation(stage);

  describe("an OCI runtime", () => {
    const sandboxConfig = hostNetworkPod("runtime");
    let podSandboxId = "";
    before(async () => {
      const request = { config: sandboxConfig, runtimeHandler: "wrapped" };
      ({ podSandboxId } = await stage().cri.runtime.runPodSandbox(request));
    });
    after(async () => {
      await heal();
      await stage().cri.runtime.removePodSandbox({ podSandboxId });
    });
    const request: () => CreateRequest = () => ({ podSandboxId, sandboxConfig, config: goodContainer("app") });
    const create = (deadlineMs?: number) =>
      stage().cri.runtime.createContainer(request(), deadlineMs === undefined ? {} : { deadlineMs });
    const works = () => withContainer(stage().cri, request(), async () => {});
    const created = async () => (await create()).containerId;
    const started = async () => {
      const containerId = await created();
      await stage().cri.runtime.startContainer({ containerId });
      return containerId;
    };
    const idsOf = async () => {
      const { containers } = await stage().cri.runtime.listContainers({ filter: { podSandboxId } });
      return containers.map(({ id }) => id);
    };
    const stopAndRemove = async (containerId: string) => {
      await stage().cri.runtime.stopContainer({ containerId, timeout: 0n }, { deadlineMs: 10_000 });
      await stage().cri.runtime.removeContainer({ containerId });
    };

    const createWays = {
      fail: /^container create failed: no wish to create$/,
      die: new RegExp(
        `^container create failed: /usr/bin/conmon -r ${folder}/runtime: error reading container \\(probably exited\\) json message: it wrote nothing$`,
      ),
      half: /^container create failed: tired after create$/,
    };
    for (const [mode, details] of Object.entries(createWays)) {
      it(`that does ${mode} at create: the container fails in words, nothing is left, and it can be created later`, async () => {
        const trial = { mode: `create:${mode}`, request: create, refusal: { details }, works };
        await failsUntilHealed(stage(), { helper: "runtime", ...trial });
      });
    }

    it("that hangs at create and goes on: the caller who comes back gets the container", async () => {
      await leavesNothing(async () => {
        await setMode("runtime", "create:hang");
        await expectRefusal(create(700), late);
        await stage().checkBystander();
        assert.deepEqual(await idsOf(), []);
        await heal();
        await works();
      });
    });

    const startWays = {
      fail: "no wish to start: exit status 1",
      die: ".*killed by signal 9",
      half: "tired after start",
    };
    for (const [mode, words] of Object.entries(startWays)) {
      it(`that does ${mode} at start: the container is gone, in words, and another one starts`, async () => {
        const { cri, checkBystander } = stage();
        await leavesNothing(async () => {
          const containerId = await created();
          await setMode("runtime", `start:${mode}`);
          const command = `\`${folder}/runtime --root /run/crun start ${containerId}\``;
          const details = new RegExp(`^failed to start container ${containerId}: ${command} failed: ${words}`);
          await expectRefusal(cri.runtime.startContainer({ containerId }), { details });
          assert.deepEqual(await idsOf(), []);
          await checkBystander();
          await heal();
          await works();
        });
      });
    }

    it("that hangs at start lets its caller go, and the container runs when it goes on", async () => {
      const { cri, checkBystander } = stage();
      const stateOf = async (containerId: string) =>
        (await cri.runtime.containerStatus({ containerId }, { deadlineMs: 2_000 })).status?.state;
      await leavesNothing(async () => {
        const containerId = await created();
        await setMode("runtime", "start:hang");
        await expectRefusal(cri.runtime.startContainer({ containerId }, { deadlineMs: 700 }), late);
        await checkBystander();
        assert.equal(await stateOf(containerId), isCreated, "told at once");
        await heal();
        await eventually("it runs", async () => (await stateOf(containerId)) === isRunning);
        await stopAndRemove(containerId);
      });
    });

    for (const mode of ["fail", "die", "hang"]) {
      it(`that does ${mode} at kill: the container is stopped as soon as it does not`, async () => {
        const { cri, checkBystander } = stage();
        await leavesNothing(async () => {
          const containerId = await started();
          await setMode("runtime", `kill:${mode}`);
          await expectRefusal(cri.runtime.stopContainer({ containerId, timeout: 0n }, { deadlineMs: 1_000 }), late);
          await checkBystander();
          await heal();
          await stopAndRemove(containerId);
        });
      });
    }

    for (const mode of ["fail", "die"]) {
      it(`that does ${mode} at delete: the container stays, in words, until it can be removed`, async () => {
        const { cri, checkBystander } = stage();
        await leavesNothing(async () => {
          const containerId = await started();
          await cri.runtime.stopContainer({ containerId, timeout: 0n });
          await setMode("runtime", `delete:${mode}`);
          const command = `\`${folder}/runtime --root /run/crun delete --force ${containerId}\``;
          const details = new RegExp(
            `^removing container ${containerId}: deleting it in the runtime: ${command} failed: `,
          );
          for (let attempt = 1; attempt <= 2; attempt++) {
            await expectRefusal(cri.runtime.removeContainer({ containerId }), { details });
            assert.deepEqual(await idsOf(), [containerId]);
          }
          await checkBystander();
          await heal();
          await cri.runtime.removeContainer({ containerId });
          assert.deepEqual(await idsOf(), []);
        });
      });
    }

    it("that hangs at delete lets its caller go, and the container goes when it goes on", async () => {
      const { cri, checkBystander } = stage();
      await leavesNothing(async () => {
        const containerId = await created();
        await setMode("runtime", "delete:hang");
        await expectRefusal(cri.runtime.removeContainer({ containerId }, { deadlineMs: 1_000 }), late);
        await checkBystander();
        await heal();
        await cri.runtime.removeContainer({ containerId });
        assert.deepEqual(await idsOf(), []);
      });
    });

    it("that fails at create and at delete: the same container can be created once it does neither", async () => {
      await leavesNothing(async () => {
        await setMode("runtime", "create:fail delete:fail");
        await expectRefusal(create(), { details: /^container create failed: no wish to create$/ });
        assert.deepEqual(await idsOf(), []);
        const remains =
          /^undoing the creation of container [0-9a-f]{64}: deleting it in the runtime: .*no wish to delete/;
        await expectRefusal(create(), { details: remains });
        await stage().checkBystander();
        await heal();
        await works();
      });
    });

    it("that hangs or fails at exec and update costs one call", async () => {
      const { cri, checkBystander } = stage();
      await leavesNothing(() =>
        withContainer(cri, request(), async (containerId) => {
          const exec = (deadlineMs: number) =>
            cri.runtime.execSync({ containerId, cmd: ["true"], timeout: 1n }, { deadlineMs });
          await setMode("runtime", "exec:fail");
          await expectRefusal(exec(10_000), { details: /^command error: .*no wish to exec/ });
          await setMode("runtime", "exec:hang");
          await expectRefusal(exec(700), late);
          await checkBystander();
          await heal();
          assert.equal((await exec(10_000)).exitCode, 0);
          await setMode("runtime", "update:fail");
          const update = () => cri.runtime.updateContainerResources({ containerId, linux: { cpuShares: 512n } });
          const details = `^updating resources for container "${containerId}" failed: .*no wish to update`;
          await expectRefusal(update(), { details: new RegExp(details) });
          await heal();
          await update();
        }),
      );
    });

    it("that fails for its infra container: the pod fails in words, and can be run later", async () => {
      const { cri } = stage();
      const namespaceOptions = { network: namespaceMode.node, pid: namespaceMode.pod };
      const config = hostNetworkPod("infra", { linux: { securityContext: { namespaceOptions } } });
      const pod = { config, runtimeHandler: "wrapped" };
      const runAndRemove = () => withPod(cri, pod, async () => {});
      await runAndRemove(); // the pause image is there
      const trial = { helper: "runtime", request: () => cri.runtime.runPodSandbox(pod), works: runAndRemove } as const;
      const refusals = {
        "create:fail": /^container create failed: no wish to create$/,
        "start:fail": /runtime --root \/run\/crun start [0-9a-f]{64}` failed: no wish to start/,
      };
      for (const [mode, details] of Object.entries(refusals))
        await failsUntilHealed(stage(), { ...trial, mode, refusal: { details } });
    });
  });

  hung();
}

/**
 * A creation that hangs until container_create_timeout, whose least value is half a minute: it begins now, goes on beside the other tests,
 * and the function that is returned sees to its end.
 */
function hungCreation(stage: () => Stage): () => void {
  const sandboxConfig = hostNetworkPod("stuck");
  let podSandboxId = "";
  let beforeCreate: Inventory = new Map();
  let outcome: Promise<unknown> | undefined;
  const request = (): CreateRequest => ({ podSandboxId, sandboxConfig, config: goodContainer("app") });
  before(async () => {
    const { runtime } = stage().cri;
    ({ podSandboxId } = await runtime.runPodSandbox({ config: sandboxConfig, runtimeHandler: "stuck" }));
    beforeCreate = await takeInventory();
    await setMode("stuck", "create:sleep");
    const details = `create container timeout: ${folder}/stuck create: no end after 30 s`;
    outcome = expectRefusal(runtime.createContainer(request()), { details });
    outcome.catch(() => {}); // the test below tells
    await eventually("it hangs", async () =>
      (await takeInventory()).get("processes")?.some((line) => line.includes(`${folder}/stuck --root`)),
    );
  });
  return () =>
    it("an OCI runtime that hangs at create is ended by container_create_timeout, and nothing is left of it", async () => {
      try {
        await outcome;
        await expectAsBefore(beforeCreate, { ignore: ["images"] });
        await heal(["stuck"]);
        await withContainer(stage().cri, request(), async () => {});
        await expectAsBefore(beforeCreate, { ignore: ["images"] });
      } finally {
        await heal(["stuck"]);
        await stage().cri.runtime.removePodSandbox({ podSandboxId });
      }
    });
}
