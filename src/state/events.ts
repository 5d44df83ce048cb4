/** News of one container or of a pod's infra record, in the order in which they happened. */
export interface ContainerEvent {
  readonly type: "created" | "started" | "stopped" | "deleted";
  readonly containerId: string;
  readonly podId: string;
  readonly atNs: bigint;
}

/** A reader that does not keep up loses events beyond this many. */
const queueLimit = 1000;

/** Every subscriber gets every event from the moment it subscribes. */
export class Events {
  readonly #subscribers = new Set<Subscription>();
  readonly #onDrop: (event: ContainerEvent) => void;

  constructor(onDrop: (event: ContainerEvent) => void) {
    this.#onDrop = onDrop;
  }

  publish(event: ContainerEvent): void {
    for (const subscriber of this.#subscribers) {
      if (!subscriber.push(event)) this.#onDrop(event);
    }
  }

  /** The events from now on, until `signal` aborts. */
  subscribe(signal: AbortSignal): AsyncIterable<ContainerEvent> {
    const subscription = new Subscription();
    this.#subscribers.add(subscription);
    signal.addEventListener("abort", () => {
      this.#subscribers.delete(subscription);
      subscription.end();
    });
    return subscription;
  }
}

class Subscription implements AsyncIterable<ContainerEvent> {
  readonly #queue: ContainerEvent[] = [];
  #wake: () => void = () => {};
  #ended = false;

  push(event: ContainerEvent): boolean {
    if (this.#queue.length >= queueLimit) return false;
    this.#queue.push(event);
    this.#wake();
    return true;
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<ContainerEvent> {
    while (!this.#ended) {
      const next = this.#queue.shift();
      if (next !== undefined) {
        yield next;
        continue;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (this.#ended || this.#queue.length > 0) resolve();
      });
    }
  }
}
