/** What the kubelet hears: events, each once and in order; and what asking costs: no program is started to answer. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type ContainerEventResponse, ContainerEventType } from "../../src/cri/generated/api.ts";
import { openCri } from "../support/daemon/cri.ts";
import { eventually } from "../support/daemon/crictl.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import {
  goodContainer,
  goodPod,
  hostNetworkPod,
  openScene,
  type Scene,
  withContainer,
  withPod,
} from "./bad-input/scene.ts";

const { CONTAINER_CREATED_EVENT, CONTAINER_STARTED_EVENT, CONTAINER_STOPPED_EVENT, CONTAINER_DELETED_EVENT } =
  ContainerEventType;
const wholeLife = [CONTAINER_CREATED_EVENT, CONTAINER_STARTED_EVENT, CONTAINER_STOPPED_EVENT, CONTAINER_DELETED_EVENT];

describe("what the kubelet is told", () => {
  let scene: Scene;
  let atFirst: Awaited<ReturnType<typeof takeInventory>>;
  before(async () => {
    atFirst = await takeInventory();
    scene = await openScene({
      flags: ["--enable-pod-events"],
      config: '[crio.stats]\nincluded_pod_metrics = ["all"]\n',
    });
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
    await expectNoLeaks(atFirst, { ignore: ["images"] });
  });

  /** A client of its own that writes down every event until it is told to leave. */
  const listen = () => {
    const cri = openCri(scene.daemon.socket);
    const leaving = new AbortController();
    const seen: ContainerEventResponse[] = [];
    const reading = (async () => {
      for await (const event of cri.runtime.getContainerEvents({}, { signal: leaving.signal })) seen.push(event);
    })().catch(() => {}); // cancelled, by us
    return {
      seen,
      typesOf: (id: string) => seen.filter((one) => one.containerId === id).map((one) => one.containerEventType),
      async [Symbol.asyncDispose]() {
        leaving.abort();
        await reading;
        cri.close();
      },
    };
  };
  /** One container's whole life; resolves with its id and its pod's. */
  const live = async (name: string): Promise<readonly [string, string]> => {
    const config = hostNetworkPod(name);
    let ids: readonly [string, string] = ["", ""];
    await withPod(scene.cri, { config }, async (podSandboxId) => {
      const request = { podSandboxId, config: goodContainer("app"), sandboxConfig: config };
      await withContainer(scene.cri, request, async (id) => {
        ids = [id, podSandboxId];
      });
    });
    return ids;
  };

  it("is every step of a container's life, once and in order, to each client that listens", async () => {
    await using first = listen();
    await using second = listen();
    await eventually("both clients", async () => {
      const [id] = await live("warm-up");
      return [first, second].every(({ typesOf }) => typesOf(id).length > 0) ? id : undefined;
    });
    const lives = await Promise.all(Array.from({ length: 6 }, (_one, n) => live(`life-${n}`)));
    for (const { seen, typesOf } of [first, second]) {
      for (const [id, podId] of lives) {
        await eventually("the end of it", async () => typesOf(id).length >= wholeLife.length);
        assert.deepEqual(typesOf(id), wholeLife, id);
        assert.deepEqual(typesOf(podId).slice(0, 2), [CONTAINER_CREATED_EVENT, CONTAINER_STARTED_EVENT]);
        const times = seen.filter(({ containerId }) => containerId === id).map(({ createdAt }) => createdAt);
        assert.deepEqual(
          times,
          times.toSorted((a, b) => (a < b ? -1 : 1)),
        );
        const stopped = seen.find(
          (one) => one.containerId === id && one.containerEventType === CONTAINER_STOPPED_EVENT,
        );
        assert.equal(stopped?.podSandboxStatus?.id, podId);
        assert.equal(stopped?.containersStatuses.find((one) => one.id === id)?.state, 2);
      }
    }
  });

  it("is what happens from then on, to a client that comes again; what happened meanwhile is in the lists", async () => {
    const before = await live("before");
    await using again = listen();
    const now = await eventually("the client", async () => {
      const [id] = await live("again");
      return again.typesOf(id).length > 0 ? id : undefined;
    });
    assert.deepEqual(again.typesOf(before[0]), []);
    await eventually("all of it", async () => again.typesOf(now).length === wholeLife.length);
    assert.deepEqual((await scene.cri.runtime.listContainers({})).containers, []);
  });

  it("starts no program and forks nothing, however much is asked", async () => {
    const { runtime, image } = scene.cri;
    const config = goodPod("asked");
    await withPod(scene.cri, { config }, async (podSandboxId) => {
      const request = { podSandboxId, config: goodContainer("app"), sandboxConfig: config };
      await withContainer(scene.cri, request, async (containerId) => {
        const all = async <T>(messages: AsyncIterable<T>) => {
          for await (const _message of messages);
        };
        const askAll = async () => {
          await Promise.all([
            runtime.containerStats({ containerId }),
            runtime.listContainerStats({}),
            runtime.podSandboxStats({ podSandboxId }),
            runtime.listPodSandboxStats({}),
            runtime.listPodSandboxMetrics({}),
            runtime.listMetricDescriptors({}),
            runtime.listContainers({}),
            runtime.listPodSandbox({}),
            runtime.containerStatus({ containerId, verbose: true }),
            runtime.podSandboxStatus({ podSandboxId, verbose: true }),
            runtime.status({ verbose: true }),
            runtime.version({}),
            image.listImages({}),
            image.imageFsInfo({}),
            all(runtime.streamContainerStats({})),
            all(runtime.streamPodSandboxStats({})),
            all(runtime.streamPodSandboxMetrics({})),
            all(runtime.streamContainers({})),
            all(runtime.streamPodSandboxes({})),
          ]);
        };
        await askAll(); // worker threads are started by the first who need them
        const { pid, dir } = scene.daemon;
        const trace = join(dir, "trace");
        const calls = "trace=execve,execveat,fork,vfork,clone,clone3";
        const strace = spawn("strace", ["-f", "-qq", "-o", trace, "-e", calls, "-p", String(pid)], { stdio: "ignore" });
        await eventually("strace at work", async () => {
          if (strace.exitCode !== null) throw new Error(`strace ended with ${strace.exitCode}`);
          return (await readFile(`/proc/${pid}/status`, "utf8")).includes(`TracerPid:\t${strace.pid}`);
        });
        for (let round = 0; round < 20; round += 1) await askAll();
        const ended = once(strace, "exit");
        strace.kill("SIGINT");
        await ended;
        const started = (await readFile(trace, "utf8"))
          .split("\n")
          .filter((line) => /\b(execve|execveat|fork|vfork|clone3?)\(/.test(line) && !line.includes("CLONE_THREAD"));
        assert.deepEqual(started, []);
        await rm(trace);
      });
    });
  });
});
