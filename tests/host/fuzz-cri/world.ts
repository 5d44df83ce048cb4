/** The pods and the containers that good requests are about; made again when a request has ended them. */
import { ContainerState, Signal } from "../../../src/cri/generated/api.ts";
import type { Cri } from "../../support/daemon/cri.ts";
import { goodContainer, hostNetworkPod } from "../bad-input/scene.ts";
import type { Ids } from "./good-requests.ts";

/** Several: what happens in one pod happens one after the other. */
const podCount = 4;

export class World {
  readonly #cri: Cri;
  #all: readonly Ids[] = [];
  #count = 0;

  constructor(cri: Cri) {
    this.#cri = cri;
  }

  /** Ids of things that are there, and as they should be: those of one pod each. */
  async ids(): Promise<readonly Ids[]> {
    if (this.#all.length > 0 && (await this.#isWhole())) return this.#all;
    await this.clear();
    const all: Ids[] = [];
    for (let made = 0; made < podCount; made++) all.push(await this.#make());
    this.#all = all;
    return all;
  }

  /** Removes every pod there is, and with them every container. */
  async clear(): Promise<void> {
    this.#all = [];
    const { items } = await this.#cri.runtime.listPodSandbox({});
    for (const { id } of items) await this.#cri.runtime.removePodSandbox({ podSandboxId: id });
  }

  async #isWhole(): Promise<boolean> {
    const { items } = await this.#cri.runtime.listPodSandbox({ filter: { state: { state: 0 } } });
    const { containers } = await this.#cri.runtime.listContainers({});
    const ready = new Set(items.map(({ id }) => id));
    const stateOf = new Map(containers.map(({ id, state }) => [id, state]));
    return this.#all.every(
      ({ pod, created, running, doomed }) =>
        ready.has(pod) &&
        stateOf.get(created) === ContainerState.CONTAINER_CREATED &&
        stateOf.get(running) === ContainerState.CONTAINER_RUNNING &&
        stateOf.get(doomed) === ContainerState.CONTAINER_RUNNING,
    );
  }

  async #make(): Promise<Ids> {
    const { runtime } = this.#cri;
    const sandboxConfig = hostNetworkPod(`world-${this.#count++}`);
    const { podSandboxId: pod } = await runtime.runPodSandbox({ config: sandboxConfig });
    const create = async (name: string, started: boolean): Promise<string> => {
      // So that no stop has to wait for a process that does not listen.
      const config = goodContainer(name, { stopSignal: Signal.SIGNAL_SIGKILL });
      const { containerId } = await runtime.createContainer({ podSandboxId: pod, config, sandboxConfig });
      if (started) await runtime.startContainer({ containerId });
      return containerId;
    };
    return {
      pod,
      running: await create("running", true),
      created: await create("created", false),
      doomed: await create("doomed", true),
    };
  }
}
