/** The pod and the containers that good requests are about; made again when a request has ended them. */
import { Signal } from "../../../src/cri/generated/api.ts";
import type { Cri } from "../../support/daemon/cri.ts";
import { goodContainer, hostNetworkPod } from "../bad-input/scene.ts";
import type { Ids } from "./good-requests.ts";

const running = 1;

export class World {
  readonly #cri: Cri;
  #ids: Ids | undefined;
  #count = 0;

  constructor(cri: Cri) {
    this.#cri = cri;
  }

  /** Ids of things that are there, and as they should be. */
  async ids(): Promise<Ids> {
    if (this.#ids !== undefined && (await this.#isWhole(this.#ids))) return this.#ids;
    await this.clear();
    this.#ids = await this.#make();
    return this.#ids;
  }

  /** Removes every pod there is, and with them every container. */
  async clear(): Promise<void> {
    this.#ids = undefined;
    const { items } = await this.#cri.runtime.listPodSandbox({});
    for (const { id } of items) await this.#cri.runtime.removePodSandbox({ podSandboxId: id });
  }

  async #isWhole(ids: Ids): Promise<boolean> {
    const { items } = await this.#cri.runtime.listPodSandbox({ filter: { id: ids.pod, state: { state: 0 } } });
    const { containers } = await this.#cri.runtime.listContainers({});
    const stateOf = (id: string) => containers.find((container) => container.id === id)?.state;
    const isThere = items.length === 1 && stateOf(ids.created) === 0;
    return isThere && stateOf(ids.running) === running && stateOf(ids.doomed) === running;
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
