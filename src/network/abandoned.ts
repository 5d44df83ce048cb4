import { type Logger, reasonOf } from "../base/index.ts";
import type { PodNetworkIdentity } from "./attachment.ts";

/**
 * Pods that went although DEL failed: what plugins hold for them is to be given back as soon as they can be asked. Forgotten with the
 * daemon: after a restart they are garbage to be collected.
 */
export class Abandoned {
  readonly #pods = new Map<string, PodNetworkIdentity>();
  readonly #detach: (pod: PodNetworkIdentity) => Promise<void>;
  readonly #log: Logger;
  #retrying = false;
  #again = false;

  constructor(detach: (pod: PodNetworkIdentity) => Promise<void>, log: Logger) {
    this.#detach = detach;
    this.#log = log;
  }

  add(pod: PodNetworkIdentity): void {
    this.#pods.set(pod.id, pod);
  }

  /** Tries each of them once more, one after the other; while that is going on already, once more after that. */
  async retry(): Promise<void> {
    this.#again = true;
    if (this.#retrying) return;
    this.#retrying = true;
    try {
      while (this.#again) {
        this.#again = false;
        for (const pod of [...this.#pods.values()]) await this.#tryAgain(pod);
      }
    } finally {
      this.#retrying = false;
    }
  }

  async #tryAgain(pod: PodNetworkIdentity): Promise<void> {
    try {
      await this.#detach(pod);
      this.#pods.delete(pod.id);
      this.#log.info("gave back the network of a pod that is gone", { pod: pod.id });
    } catch (error) {
      this.#log.warn("the network of a pod that is gone still cannot be given back", {
        pod: pod.id,
        error: reasonOf(error),
      });
    }
  }
}
