import { Fault } from "../base/index.ts";
import type { Container } from "./container.ts";
import { IdIndex } from "./id-index.ts";
import type { Pod } from "./pod.ts";

/** The pods of this node: the reading copy of what is on disk. */
export class Pods {
  readonly #index = new IdIndex<Pod>();

  get(id: string): Pod | undefined {
    return this.#index.get(id);
  }

  /** The pod whose id is `text` or alone begins with it. Throws code `not-found` or, for an ambiguous prefix, `invalid`. */
  find(text: string): Pod {
    return this.#index.find(text);
  }

  /** All pods, newest first. */
  list(): readonly Pod[] {
    return [...this.#index.values()].sort((a, b) => newestFirst(a.record.createdAtNs, b.record.createdAtNs));
  }

  put(pod: Pod): void {
    this.#index.set(pod.record.id, pod);
  }

  /** Replaces a pod by what `change` makes of it. Throws code `not-found` when it is gone. */
  change(id: string, change: (pod: Pod) => Pod): Pod {
    const before = this.#index.get(id);
    if (before === undefined) throw new Fault("not-found", `specified pod sandbox not found: ${id}`);
    const after = change(before);
    this.#index.set(id, after);
    return after;
  }

  remove(id: string): void {
    this.#index.delete(id);
  }
}

/** The containers of this node, the pods' infra containers not among them. */
export class Containers {
  readonly #index = new IdIndex<Container>();
  readonly #byPod = new Map<string, Set<string>>();

  get(id: string): Container | undefined {
    return this.#index.get(id);
  }

  /** The container whose id is `text` or alone begins with it. Throws code `not-found` or `invalid`. */
  find(text: string): Container {
    return this.#index.find(text);
  }

  /** All containers, newest first. */
  list(): readonly Container[] {
    return [...this.#index.values()].sort((a, b) => newestFirst(a.record.createdAtNs, b.record.createdAtNs));
  }

  /** A pod's containers, newest first. */
  ofPod(podId: string): readonly Container[] {
    const ids = this.#byPod.get(podId) ?? [];
    return [...ids]
      .map((id) => this.#index.get(id))
      .filter((container) => container !== undefined)
      .sort((a, b) => newestFirst(a.record.createdAtNs, b.record.createdAtNs));
  }

  put(container: Container): void {
    const { id, podId } = container.record;
    this.#index.set(id, container);
    const ids = this.#byPod.get(podId) ?? new Set();
    ids.add(id);
    this.#byPod.set(podId, ids);
  }

  /** Replaces a container by what `change` makes of it; undefined when it is gone. */
  change(id: string, change: (container: Container) => Container): Container | undefined {
    const before = this.#index.get(id);
    if (before === undefined) return undefined;
    const after = change(before);
    this.#index.set(id, after);
    return after;
  }

  remove(id: string): void {
    const podId = this.#index.get(id)?.record.podId;
    this.#index.delete(id);
    if (podId === undefined) return;
    const ids = this.#byPod.get(podId);
    ids?.delete(id);
    if (ids?.size === 0) this.#byPod.delete(podId);
  }
}

function newestFirst(a: bigint, b: bigint): number {
  return a > b ? -1 : a < b ? 1 : 0;
}
