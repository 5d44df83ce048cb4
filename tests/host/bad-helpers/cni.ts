/** CNI plugins that fail, hang, die and talk nonsense (issue: Bad input). */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { takeInventory } from "../../support/node/index.ts";
import { expectAsBefore, expectRefusal, leavesNothing } from "../bad-input/refusal.ts";
import { goodPod, openScene, withPod } from "../bad-input/scene.ts";
import { failsUntilHealed, folder, heal, type Stage, setMode, untilLogged } from "./stage.ts";

const name = "cni";
const config = goodPod(name);
const named = `k8s_${name}_bad-input_uid-${name}_0\\([0-9a-f]{64}\\)`;
const filter = { labelSelector: { "io.kubernetes.pod.name": name } };
const late = { code: status.DEADLINE_EXCEEDED, details: /./ };

type Plugin = "first" | "third";

const cutCable = "the cable is cut; by a digger \\(code 100\\)";

/** What a plugin does at ADD, and the words for it. The first of the chain has nothing before it that is to be deleted. */
const ways: readonly (readonly [plugin: Plugin, mode: string, words: string])[] = [
  ["first", "fail", cutCable],
  ["first", "die", "signal 9 and no error message"],
  ["third", "fail", cutCable],
  ["third", "words", "exit status 4: no cable at all"],
  ["third", "silent", "exit status 3 and no error message"],
  ["third", "die", "signal 9 and no error message"],
  ["third", "endless", ".*/third: wrote more than 1048576 bytes to its standard output; killed"],
  ["third", "garbage", 'it printed no valid result .*"this is no JSON'],
  ["third", "empty", "it printed no valid result"],
];

export function cni(stage: () => Stage): void {
  describe("a CNI plugin", () => {
    const runPod = (deadlineMs?: number) =>
      stage().cri.runtime.runPodSandbox({ config }, deadlineMs === undefined ? {} : { deadlineMs });
    const runAndRemove = () => withPod(stage().cri, { config }, async () => {});
    const listed = async () => (await stage().cri.runtime.listPodSandbox({ filter })).items;
    const failure = (plugin: Plugin, command: string, words: string) =>
      new RegExp(
        `^failed to create pod network sandbox ${named}: .*CNI network "test-net": plugin type="${plugin}" name="test-net" failed \\(${command}\\): ${words}`,
      );

    for (const [plugin, mode, words] of ways) {
      it(`(${plugin} of the chain) that does ${mode} at ADD: the pod fails in words, and can be run later`, async () => {
        const refusal = { details: failure(plugin, "add", words) };
        const trial = { helper: plugin, mode: `ADD:${mode}`, request: runPod, refusal, works: runAndRemove };
        await failsUntilHealed(stage(), trial);
      });
    }

    it("that fails at CHECK: the pod fails in words, and everything is deleted again", async () => {
      const refusal = { details: failure("third", "check", cutCable) };
      const trial = { mode: "CHECK:fail", request: runPod, refusal, works: runAndRemove };
      await failsUntilHealed(stage(), { helper: "third", ...trial });
    });

    for (const plugin of ["first", "third"] as const) {
      it(`(${plugin} of the chain) that hangs at ADD holds nobody but its pod, whose caller gets it in the end`, async () => {
        const { cri, daemon, checkBystander } = stage();
        await leavesNothing(async () => {
          await setMode(plugin, "ADD:hang");
          for (const deadlineMs of [1_000, 500]) await expectRefusal(runPod(deadlineMs), late);
          await untilLogged(daemon, /Currently at stage sandbox network creation: context deadline exceeded/);
          assert.deepEqual(await listed(), []);
          await checkBystander();
          await heal();
          const { podSandboxId } = await runPod();
          const ids = (await listed()).map(({ id }) => id);
          assert.deepEqual(ids, [podSandboxId], "there is one pod of that name");
          await cri.runtime.removePodSandbox({ podSandboxId });
        });
      });
    }

    it("that hangs and then fails, when nobody waits any more, leaves nothing", async () => {
      const { cri, daemon } = stage();
      await leavesNothing(async () => {
        await setMode("first", "CHECK:fail");
        await setMode("third", "ADD:hang");
        const call = cri.runtime.runPodSandbox({ config: goodPod("cni-left") }, { deadlineMs: 700 });
        await expectRefusal(call, late);
        await heal(["third"]);
        await untilLogged(daemon, /creating sandbox failed after its caller had left.*cni-left/);
      });
    });

    for (const mode of ["fail", "words", "die"]) {
      it(`that does ${mode} at DEL: the pod stays until the next attempt, and its addresses are given back later`, async () => {
        const { cri, checkBystander } = stage();
        const before = await takeInventory();
        const { podSandboxId } = await runPod();
        await setMode("first", `DEL:${mode}`);
        const details = new RegExp(
          `^network teardown failed for pod sandbox ${named}: .*plugin type="first" .*failed \\(delete\\)`,
        );
        await expectRefusal(cri.runtime.stopPodSandbox({ podSandboxId }), { details });
        const states = (await listed()).map(({ id, state }) => ({ id, state }));
        assert.deepEqual(states, [{ id: podSandboxId, state: 1 }], "it is there, not ready, to be removed");
        await checkBystander();
        // Its namespace is gone: a plugin that never works again does not keep it.
        await cri.runtime.removePodSandbox({ podSandboxId });
        assert.deepEqual(await listed(), []);
        await heal();
        await runAndRemove();
        await expectAsBefore(before);
      });
    }

    it("that hangs at DEL lets its caller go, and the next one finish", async () => {
      const { cri, checkBystander } = stage();
      await leavesNothing(async () => {
        const { podSandboxId } = await runPod();
        await setMode("third", "DEL:hang");
        await expectRefusal(cri.runtime.stopPodSandbox({ podSandboxId }, { deadlineMs: 1_000 }), late);
        await expectRefusal(cri.runtime.removePodSandbox({ podSandboxId }, { deadlineMs: 500 }), late);
        await checkBystander();
        await heal();
        await cri.runtime.stopPodSandbox({ podSandboxId });
        await cri.runtime.removePodSandbox({ podSandboxId });
      });
    });

    it("that fails at ADD and at DEL: what is left is listed, and makes way for the same pod", async () => {
      const before = await takeInventory();
      await setMode("first", "DEL:fail");
      await setMode("third", "ADD:fail");
      const details = /failed \(add\): the cable is cut.*deleting it again failed too: .*failed \(delete\)/;
      for (let attempt = 1; attempt <= 2; attempt++) {
        await expectRefusal(runPod(), { details });
        const states = (await listed()).map(({ state }) => state);
        assert.deepEqual(states, [1], "one pod, not ready, to be removed");
      }
      await heal();
      await withPod(stage().cri, { config }, async (podSandboxId) => {
        const ids = (await listed()).map(({ id }) => id);
        assert.deepEqual(ids, [podSandboxId]);
      });
      await expectAsBefore(before);
    });
  });
}

/** A network whose plugin is not installed is the node's state, and needs a daemon of its own. */
export function missingPlugin(): void {
  describe("a CNI plugin that is not installed", () => {
    it("makes the network not ready and pods wait; they run as soon as it is there", async () => {
      const plugins = "/run/bad-input/late-plugins";
      const cniConfig = { cniVersion: "1.0.0", name: "late-net", plugins: [{ type: "late" }] };
      await leavesNothing(
        async () => {
          await using scene = await openScene({ cni: cniConfig, pluginDirs: [plugins] });
          const { cri, daemon } = scene;
          const { status: now } = await cri.runtime.status({});
          const network = now?.conditions.find(({ type }) => type === "NetworkReady");
          assert.equal(network?.status, false);
          assert.equal(network.reason, "NetworkPluginNotReady");
          assert.match(network.message, /^Network plugin returns error: .*late/);
          await expectRefusal(cri.runtime.runPodSandbox({ config }, { deadlineMs: 700 }), late);
          await untilLogged(daemon, /Currently at stage sandbox network ready: context deadline exceeded/);
          await mkdir(plugins, { recursive: true });
          await writeFile(`${plugins}/late`, await readFile(`${folder}/plugins/first`), { mode: 0o755 });
          const { podSandboxId } = await cri.runtime.runPodSandbox({ config });
          await cri.runtime.removePodSandbox({ podSandboxId });
        },
        { ignore: ["images"] },
      );
    });
  });
}
