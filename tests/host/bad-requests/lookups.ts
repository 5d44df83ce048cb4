/** Ids that are empty, unknown, ambiguous or no ids at all, in every call that takes one (reference: cri.md 1, 2.9 to 2.13, 4). */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import type { Cri } from "../../support/daemon/cri.ts";
import { expectRefusal, leavesNothing, type Refusal } from "../bad-input/refusal.ts";
import { goodContainer, goodPod, hostNetworkPod, type Scene, withPod } from "../bad-input/scene.ts";

const unknown = "f".repeat(64);

/** What a call says of an id: a refusal, or undefined when it succeeds and does nothing. */
type Answer = (id: string) => Refusal | undefined;

interface LookUp {
  readonly rpc: string;
  readonly call: (cri: Cri, id: string) => Promise<unknown>;
  readonly empty: Refusal;
  readonly missing: Answer;
  readonly ambiguous: Answer;
}

const podIsEmpty = "PodSandboxId should not be empty";
const containerIsEmpty = "container ID should not be empty";
const podMissing = (id: string) => `PodSandbox with ID starting with ${id} not found: ID does not exist`;
const containerMissing = (id: string) => `container with ID starting with ${id} not found: ID does not exist`;
const podAmbiguous = (id: string) =>
  `PodSandbox with ID starting with ${id} not found: the ID prefix "${id}" is ambiguous`;
const containerAmbiguous = (id: string) =>
  `container with ID starting with ${id} not found: the ID prefix "${id}" is ambiguous`;
const noPod = (id: string, cause: string): Refusal => ({
  code: status.NOT_FOUND,
  details: `could not find pod "${id}": ${cause}`,
});
const noContainer = (id: string, cause: string): Refusal => ({
  code: status.NOT_FOUND,
  details: `could not find container "${id}": ${cause}`,
});
const plain = (details: string): Refusal => ({ details });
const nothingToDo: Answer = () => undefined;

const pods: readonly LookUp[] = [
  {
    rpc: "PodSandboxStatus",
    call: ({ runtime }, podSandboxId) => runtime.podSandboxStatus({ podSandboxId, verbose: true }),
    empty: noPod("", podIsEmpty),
    missing: (id) => noPod(id, podMissing(id)),
    ambiguous: (id) => noPod(id, podAmbiguous(id)),
  },
  {
    rpc: "UpdatePodSandboxResources",
    call: ({ runtime }, podSandboxId) => runtime.updatePodSandboxResources({ podSandboxId }),
    empty: noPod("", podIsEmpty),
    missing: (id) => noPod(id, podMissing(id)),
    ambiguous: (id) => noPod(id, podAmbiguous(id)),
  },
  {
    rpc: "StopPodSandbox",
    call: ({ runtime }, podSandboxId) => runtime.stopPodSandbox({ podSandboxId }),
    empty: plain(podIsEmpty),
    missing: nothingToDo,
    ambiguous: (id) => plain(podAmbiguous(id)),
  },
  {
    rpc: "RemovePodSandbox",
    call: ({ runtime }, podSandboxId) => runtime.removePodSandbox({ podSandboxId }),
    empty: plain(podIsEmpty),
    missing: nothingToDo,
    ambiguous: (id) => plain(podAmbiguous(id)),
  },
  {
    rpc: "CreateContainer",
    call: ({ runtime }, podSandboxId) =>
      runtime.createContainer({ podSandboxId, config: goodContainer("app"), sandboxConfig: goodPod("x") }),
    empty: plain(podIsEmpty),
    missing: (id) => plain(`specified sandbox not found: ${id}: ${podMissing(id)}`),
    ambiguous: (id) => plain(`specified sandbox not found: ${id}: ${podAmbiguous(id)}`),
  },
];

const containers: readonly LookUp[] = [
  {
    rpc: "ContainerStatus",
    call: ({ runtime }, containerId) => runtime.containerStatus({ containerId, verbose: true }),
    empty: noContainer("", containerIsEmpty),
    missing: (id) => noContainer(id, containerMissing(id)),
    ambiguous: (id) => noContainer(id, containerAmbiguous(id)),
  },
  {
    rpc: "StartContainer",
    call: ({ runtime }, containerId) => runtime.startContainer({ containerId }),
    empty: noContainer("", containerIsEmpty),
    missing: (id) => noContainer(id, containerMissing(id)),
    ambiguous: (id) => noContainer(id, containerAmbiguous(id)),
  },
  {
    rpc: "StopContainer",
    call: ({ runtime }, containerId) => runtime.stopContainer({ containerId, timeout: 1n }),
    empty: noContainer("", containerIsEmpty),
    missing: nothingToDo,
    ambiguous: (id) => noContainer(id, containerAmbiguous(id)),
  },
  {
    rpc: "RemoveContainer",
    call: ({ runtime }, containerId) => runtime.removeContainer({ containerId }),
    empty: noContainer("", containerIsEmpty),
    missing: nothingToDo,
    ambiguous: (id) => noContainer(id, containerAmbiguous(id)),
  },
  {
    rpc: "ExecSync",
    call: ({ runtime }, containerId) => runtime.execSync({ containerId, cmd: ["true"], timeout: 5n }),
    empty: noContainer("", containerIsEmpty),
    missing: (id) => noContainer(id, containerMissing(id)),
    ambiguous: (id) => noContainer(id, containerAmbiguous(id)),
  },
  {
    rpc: "ReopenContainerLog",
    call: ({ runtime }, containerId) => runtime.reopenContainerLog({ containerId }),
    empty: plain(`could not find container : ${containerIsEmpty}`),
    missing: (id) => plain(`could not find container ${id}: ${containerMissing(id)}`),
    ambiguous: (id) => plain(`could not find container ${id}: ${containerAmbiguous(id)}`),
  },
  {
    rpc: "UpdateContainerResources",
    call: ({ runtime }, containerId) => runtime.updateContainerResources({ containerId, linux: { cpuShares: 5n } }),
    empty: plain(containerIsEmpty),
    missing: (id) => plain(containerMissing(id)),
    ambiguous: (id) => plain(containerAmbiguous(id)),
  },
];

/** Texts that no id is, each of which once meant something to a shell, a path, a log or a pattern. */
const hostileIds = [
  "..",
  "../../../../etc/passwd",
  "/",
  "a\nlevel=error msg=forged",
  "\u0000",
  "%s%n",
  "*",
  '"; rm -rf /; "',
  "__proto__",
  "ＦＦ",
  "F".repeat(64),
  "f".repeat(65),
  "f".repeat(1 << 20),
];

export function lookUps(scene: () => Scene): void {
  describe("an id", () => {
    for (const { rpc, call, empty, missing } of [...pods, ...containers]) {
      it(`${rpc}: that is empty or unknown`, async () => {
        const { cri } = scene();
        await leavesNothing(async () => {
          await expectRefusal(call(cri, ""), empty);
          for (const id of [unknown, "deadbeef"]) await expectAnswer(call(cri, id), missing(id));
        });
      });

      it(`${rpc}: that is none`, async () => {
        const { cri } = scene();
        await leavesNothing(async () => {
          for (const id of hostileIds) {
            const refusal = missing("x");
            if (refusal === undefined) await call(cri, id);
            else {
              const error = await expectRefusal(call(cri, id), { ...refusal, details: /ID does not exist/ });
              assert.ok(error.details.length < 1000, "the answer repeats the id without end");
            }
          }
        });
      });
    }

    it("that is the beginning of two pods' ids is refused, and lists nothing", async () => {
      const { cri } = scene();
      await leavesNothing(() =>
        withPodsThatShareADigit(cri, async (digit, all) => {
          for (const { call, ambiguous } of pods) await expectAnswer(call(cri, digit), ambiguous(digit));
          assert.deepEqual((await cri.runtime.listPodSandbox({ filter: { id: digit } })).items, []);
          const containersOf = { filter: { podSandboxId: digit } };
          assert.deepEqual((await cri.runtime.listContainers(containersOf)).containers, []);
          assert.equal((await cri.runtime.listPodSandbox({})).items.length, all, "all of them are still there");
          const { items } = await cri.runtime.listPodSandbox({});
          for (const { id } of items) {
            assert.equal((await cri.runtime.podSandboxStatus({ podSandboxId: id.slice(0, 63) })).status?.id, id);
          }
        }),
      );
    });

    it("that is the beginning of two containers' ids is refused, and lists nothing", async () => {
      const { cri } = scene();
      await leavesNothing(() =>
        withContainersThatShareADigit(cri, async (digit, all) => {
          for (const { call, ambiguous } of containers) await expectAnswer(call(cri, digit), ambiguous(digit));
          assert.deepEqual((await cri.runtime.listContainers({ filter: { id: digit } })).containers, []);
          assert.equal((await cri.runtime.listContainers({})).containers.length, all);
        }),
      );
    });

    it("that nobody has lists nothing", async () => {
      const { runtime } = scene().cri;
      assert.deepEqual((await runtime.listPodSandbox({ filter: { id: unknown } })).items, []);
      assert.deepEqual((await runtime.listContainers({ filter: { id: unknown } })).containers, []);
      assert.deepEqual((await runtime.listContainers({ filter: { podSandboxId: unknown } })).containers, []);
    });
  });
}

async function expectAnswer(call: Promise<unknown>, refusal: Refusal | undefined): Promise<void> {
  if (refusal === undefined) await call;
  else await expectRefusal(call, refusal);
}

/** Runs pods until the ids of two begin with the same digit: at most seventeen. */
async function withPodsThatShareADigit(cri: Cri, use: (digit: string, pods: number) => Promise<void>): Promise<void> {
  const ids: string[] = [];
  try {
    while (sharedDigit(ids) === undefined) {
      const { podSandboxId } = await cri.runtime.runPodSandbox({ config: hostNetworkPod(`ambiguous-${ids.length}`) });
      ids.push(podSandboxId);
    }
    await use(sharedDigit(ids) ?? "", ids.length);
  } finally {
    for (const podSandboxId of ids) await cri.runtime.removePodSandbox({ podSandboxId });
  }
}

async function withContainersThatShareADigit(
  cri: Cri,
  use: (digit: string, containers: number) => Promise<void>,
): Promise<void> {
  const sandboxConfig = hostNetworkPod("ambiguous");
  await withPod(cri, { config: sandboxConfig }, async (podSandboxId) => {
    const ids: string[] = [];
    while (sharedDigit(ids) === undefined) {
      const config = goodContainer(`app-${ids.length}`);
      ids.push((await cri.runtime.createContainer({ podSandboxId, config, sandboxConfig })).containerId);
    }
    await use(sharedDigit(ids) ?? "", ids.length);
  });
}

function sharedDigit(ids: readonly string[]): string | undefined {
  const digits = ids.map((id) => id.charAt(0));
  return digits.find((digit, index) => digits.indexOf(digit) !== index);
}
