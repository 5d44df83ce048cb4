/** Calls that make no sense for the state a container is in, or with a missing argument (reference: cri.md 4, 9). */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { CriError } from "../../support/daemon/cri.ts";
import { eventually } from "../../support/daemon/crictl.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { expectRefusal, leavesNothing } from "../bad-input/refusal.ts";
import { type CreateRequest, goodContainer, hostNetworkPod, type Scene, withContainer } from "../bad-input/scene.ts";

const exited = 2;

export function wrongState(scene: () => Scene): void {
  describe("a container", () => {
    const sandboxConfig = hostNetworkPod("states");
    let podSandboxId = "";
    before(async () => {
      ({ podSandboxId } = await scene().cri.runtime.runPodSandbox({ config: sandboxConfig }));
    });
    after(() => scene().cri.runtime.removePodSandbox({ podSandboxId }));
    const request = (command: readonly string[] = ["sleep", "1000"], name = "app"): CreateRequest => ({
      podSandboxId,
      sandboxConfig,
      config: goodContainer(name, { command }),
    });
    const lasting = <T>(create: CreateRequest & { readonly started?: boolean }, use: (id: string) => Promise<T>) =>
      leavesNothing(() => withContainer(scene().cri, create, use));
    const ended = (use: (id: string) => Promise<unknown>) =>
      lasting(request(["true"]), async (containerId) => {
        await eventually("it has ended", async () => {
          const answer = await scene().cri.runtime.containerStatus({ containerId });
          return answer.status?.state === exited;
        });
        await use(containerId);
      });

    it("that runs, or has ended, is not started again", async () => {
      const { runtime } = scene().cri;
      await lasting(request(), async (containerId) => {
        const details = `container ${containerId} is not in created state: running`;
        await expectRefusal(runtime.startContainer({ containerId }), { details });
      });
      await ended(async (containerId) => {
        const details = `container ${containerId} is not in created state: stopped`;
        await expectRefusal(runtime.startContainer({ containerId }), { details });
      });
    });

    it("that was never started is stopped and removed at once", async () => {
      const { runtime } = scene().cri;
      await lasting({ ...request(), started: false }, async (containerId) => {
        await runtime.stopContainer({ containerId, timeout: 600n }, { deadlineMs: 20_000 });
        const { status: now } = await runtime.containerStatus({ containerId });
        assert.equal(now?.state, exited);
      });
      await leavesNothing(async () => {
        const { containerId } = await runtime.createContainer(request());
        await runtime.removeContainer({ containerId }, { deadlineMs: 20_000 });
      });
    });

    it("that heeds no signal is removed within the deadline of the call", async () => {
      const { runtime } = scene().cri;
      await leavesNothing(async () => {
        const { containerId } = await runtime.createContainer(
          request(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]),
        );
        await runtime.startContainer({ containerId });
        await runtime.removeContainer({ containerId }, { deadlineMs: 6_000 });
        await runtime.removeContainer({ containerId });
      });
    });

    it("that has ended runs no command, takes no limits and has no log to reopen", async () => {
      const { runtime } = scene().cri;
      await ended(async (containerId) => {
        await expectRefusal(runtime.execSync({ containerId, cmd: ["true"], timeout: 5n }), {
          code: status.NOT_FOUND,
          details: /^container is not created or running: /,
        });
        await expectRefusal(runtime.updateContainerResources({ containerId, linux: { cpuShares: 512n } }), {
          details: `container ${containerId} is not running or created state: stopped`,
        });
        await expectRefusal(runtime.reopenContainerLog({ containerId }), { details: "container is not running" });
      });
      await lasting({ ...request(), started: false }, async (containerId) => {
        await expectRefusal(runtime.reopenContainerLog({ containerId }), { details: "container is not running" });
      });
    });

    it("that is being killed runs no command", async () => {
      const { runtime } = scene().cri;
      await lasting(request(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]), async (containerId) => {
        const stopping = runtime.stopContainer({ containerId, timeout: 600n }, { deadlineMs: 1_000 });
        await expectRefusal(stopping, { code: status.DEADLINE_EXCEEDED, details: /./ });
        await expectRefusal(runtime.execSync({ containerId, cmd: ["true"], timeout: 5n }), {
          details: "cannot start exec: container is being killed",
        });
      });
    });

    it("runs no empty command, and none for less than no time", async () => {
      const { runtime } = scene().cri;
      await lasting(request(), async (containerId) => {
        await expectRefusal(runtime.execSync({ containerId, cmd: [], timeout: 5n }), {
          details: "exec command cannot be empty",
        });
        await expectRefusal(runtime.execSync({ containerId, cmd: ["true"], timeout: -1n }), {
          details: "timeout cannot be negative",
        });
        await expectRefusal(runtime.execSync({ containerId, cmd: ["no-such-command"], timeout: 5n }), {
          details: /^command error: .*no-such-command/,
        });
        await expectRefusal(runtime.execSync({ containerId, cmd: ["a\0b"], timeout: 5n }), { details: /NUL/ });
        const { exitCode } = await runtime.execSync({ containerId, cmd: ["true"], timeout: 5n });
        assert.equal(exitCode, 0);
      });
    });

    it("takes no limit that is none, or that it is over", async () => {
      const { runtime } = scene().cri;
      await lasting(request(), async (containerId) => {
        const update = (memoryLimitInBytes: bigint) =>
          runtime.updateContainerResources({ containerId, linux: { memoryLimitInBytes } });
        await expectRefusal(update(-5n), {
          details: "memory validation failed: invalid memory limit: -5 bytes (cannot be negative)",
        });
        await expectRefusal(update(4096n), {
          details:
            /^memory validation failed: cannot decrease memory limit to 4096 bytes: current usage is [1-9]\d* bytes$/,
        });
        await expectRefusal(runtime.updateContainerResources({ containerId, linux: { cpusetCpus: "4000" } }), {
          details: new RegExp(`^updating resources for container "${containerId}" failed: `),
        });
        await update(128n << 20n);
        const answer = await runtime.containerStatus({ containerId });
        assert.equal(answer.status?.resources?.linux?.memoryLimitInBytes, 128n << 20n);
      });
    });
  });

  describe("an image", () => {
    it("is named in every call", async () => {
      const { image } = scene().cri;
      const details = "no image specified";
      await leavesNothing(async () => {
        for (const spec of [{}, { image: { image: "" } }]) {
          await expectRefusal(image.pullImage(spec), { details });
          await expectRefusal(image.imageStatus(spec), { details });
          await expectRefusal(image.removeImage(spec), { details });
        }
      });
    });

    it("that is not here has no status, is not listed, and is removed", async () => {
      const { image } = scene().cri;
      for (const name of ["docker.io/library/nothing:1", "f".repeat(64), "fff", "sha256:fff"]) {
        assert.equal((await image.imageStatus({ image: { image: name } })).image, undefined);
        assert.deepEqual((await image.listImages({ filter: { image: { image: name } } })).images, []);
        await image.removeImage({ image: { image: name } });
      }
    });

    it("has a name that can be one", async () => {
      const { image } = scene().cri;
      const names = [
        "UPPER",
        "a b",
        "-x",
        "x/../y",
        "x:tag:tag",
        "x@sha256:12",
        "a".repeat(300),
        "\n",
        "x\0y",
        "//",
        "ü",
      ];
      await leavesNothing(async () => {
        for (const name of names) {
          for (const call of [image.pullImage, image.imageStatus, image.removeImage]) {
            const error = await expectRefusal(call({ image: { image: name } }), { details: /./ });
            assert.ok(error.details.length < 1000);
          }
        }
      });
    });

    it("that a container is made of is not removed", async () => {
      const { runtime, image } = scene().cri;
      const sandboxConfig = hostNetworkPod("image-in-use");
      await leavesNothing(async () => {
        const { podSandboxId } = await runtime.runPodSandbox({ config: sandboxConfig });
        const create = { podSandboxId, sandboxConfig, config: goodContainer("app") };
        await withContainer(scene().cri, { ...create, started: false }, async (containerId) => {
          await expectRefusal(image.removeImage({ image: { image: fixtureNames.busybox } }), {
            details: new RegExp(`^delete image: .*image used by ${containerId}`),
          });
        });
        await runtime.removePodSandbox({ podSandboxId });
      });
    });
  });

  describe("a message", () => {
    it("that is none is refused, and the daemon goes on", async () => {
      const { cri } = scene();
      const messages = ["ff", "0a", "0affffffff0f", "08".repeat(100), "0b".repeat(20_000), `0a04${"0a02".repeat(3)}`];
      for (const hex of messages) {
        const answer = cri.raw("/runtime.v1.RuntimeService/RunPodSandbox", Buffer.from(hex, "hex"));
        const error = await answer.then(
          () => undefined,
          (reason: unknown) => reason,
        );
        assert.ok(error instanceof CriError, `${hex.slice(0, 20)}: ${error}`);
      }
      assert.equal((await cri.runtime.version({})).runtimeName, "cri-o");
    });

    it("for a call that CRI-O has not is answered with its name", async () => {
      const { runtime } = scene().cri;
      for (const [name, call] of [
        ["CheckpointPod", runtime.checkpointPod({})],
        ["RestorePod", runtime.restorePod({})],
      ] as const) {
        const details = `/runtime.v1.RuntimeService/${name} is not implemented`;
        await expectRefusal(call, { code: status.UNIMPLEMENTED, details });
      }
    });
  });
}
