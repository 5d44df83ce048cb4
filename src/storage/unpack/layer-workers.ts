import { Fault } from "../../base/index.ts";
import { workerFile } from "../../host/index.ts";
import { Interrupt } from "./interrupt.ts";
import type { UnpackedLayer } from "./layer-unpacking.ts";
import type { VerifiedLayer } from "./layer-verifying.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";
import { type WorkerJob, WorkerPool } from "./worker-pool.ts";

export type UnpackPlan = Omit<ToWorker & { readonly is: "unpack" }, "is">;

export type VerifyPlan = Omit<ToWorker & { readonly is: "verify" }, "is">;

export interface LayerWorkersOptions {
  /** Layers unpacked at the same time; further ones wait, but not for those whose bytes do not come. */
  readonly unpacking: number;
  /** How long a layer's next bytes may take before another layer may go first. */
  readonly patienceMs: number;
  readonly idleMs: number;
}

/** The work on layers that must not happen on the main thread: unpacking them, and removing trees. */
export class LayerWorkers {
  readonly #unpackers: WorkerPool;
  /** Of its own, so that removing a container does not wait for the layers of a pull. */
  readonly #removers: WorkerPool;

  constructor({ unpacking, patienceMs, idleMs }: LayerWorkersOptions) {
    const file = workerFile(import.meta.url, "layer-worker");
    this.#unpackers = new WorkerPool({ file, size: unpacking, patienceMs, idleMs });
    this.#removers = new WorkerPool({ file, size: 1, patienceMs, idleMs });
  }

  /**
   * Unpacks `blob`, whose pieces are not the source's any more once they are handed out, and of which at most `maxBytesInFlight` are on the way to the worker at any time. Rejects with a Fault
   * that names the entry, with what `blob` throws, or with the signal's reason; the worker has then stopped writing, and
   * what it wrote is the caller's to remove.
   */
  async unpack(blob: AsyncIterable<Uint8Array>, plan: UnpackPlan, signal: AbortSignal): Promise<UnpackedLayer> {
    return this.#unpackers.run((worker) => unpackWith(worker, blob, plan, signal), signal);
  }

  /** Reads a layer back, see layer-verifying.ts. */
  async verify(plan: VerifyPlan, signal?: AbortSignal): Promise<VerifiedLayer> {
    return this.#unpackers.run(async (worker) => {
      const answer = await answerTo(worker, { is: "verify", ...plan }, "verified");
      return answer.layer;
    }, signal);
  }

  /** Removes a directory tree, see remove-tree.ts. */
  async remove(directory: string, signal?: AbortSignal): Promise<void> {
    await this.#removers.run((worker) => answerTo(worker, { is: "remove", directory }, "removed"), signal);
  }

  async close(): Promise<void> {
    await Promise.all([this.#unpackers.close(), this.#removers.close()]);
  }
}

/** Gives a worker a job that it answers once. */
async function answerTo<Is extends FromWorker["is"]>(
  worker: WorkerJob,
  job: ToWorker,
  is: Is,
): Promise<FromWorker & { readonly is: Is }> {
  const { promise, resolve, reject } = Promise.withResolvers<FromWorker & { readonly is: Is }>();
  worker.onMessage = (message) => {
    if (isAnswer(message, is)) resolve(message);
    if (message.is === "failed") reject(faultOf(message));
  };
  worker.send(job);
  return await Promise.race([promise, worker.died]);
}

function isAnswer<Is extends FromWorker["is"]>(
  message: FromWorker,
  is: Is,
): message is FromWorker & { readonly is: Is } {
  return message.is === is;
}

const maxBytesInFlight = 4 * 2 ** 20;
/** How much is sent at once, about: a message costs a wake-up at either end. */
const messageBytes = 2 ** 18;

async function unpackWith(
  worker: WorkerJob,
  blob: AsyncIterable<Uint8Array>,
  plan: UnpackPlan,
  signal: AbortSignal,
): Promise<UnpackedLayer> {
  const interrupt = new Interrupt();
  const { promise: unpacked, resolve } = Promise.withResolvers<UnpackedLayer>();
  let inFlight = 0;
  let onConsumed = () => {};
  worker.onMessage = (message) => {
    if (message.is === "unpacked") resolve(message.layer);
    if (message.is === "failed") interrupt.raise(faultOf(message));
    if (message.is !== "consumed") return;
    inFlight -= message.bytes;
    onConsumed();
  };
  worker.died.catch((error) => interrupt.raise(error));
  const onAbort = () => interrupt.raise(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });

  const gathered = new Gathered();
  const send = async () => {
    const bytes = gathered.size;
    while (inFlight > 0 && inFlight + bytes > maxBytesInFlight) {
      const { promise: consumed, resolve: wake } = Promise.withResolvers<void>();
      onConsumed = wake;
      await interrupt.wait(consumed);
    }
    inFlight += bytes;
    const chunks = gathered.take();
    worker.send(
      { is: "chunks", chunks },
      chunks.map(({ buffer }) => buffer),
    );
  };

  try {
    signal.throwIfAborted();
    worker.send({ is: "unpack", ...plan });
    const wait: Wait = (next) => worker.stepAside(interrupt.wait(next));
    await forEachChunk(blob, wait, async (bytes) => {
      for (let at = 0; at < bytes.length; at += messageBytes) {
        gathered.add(bytes.length <= messageBytes ? bytes : bytes.subarray(at, at + messageBytes));
        if (gathered.size >= messageBytes) await send();
      }
    });
    if (gathered.size > 0) await send();
    worker.send({ is: "end" });
    return await interrupt.wait(unpacked);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Pieces on their way into one message, in buffers of their own that can be handed over. */
class Gathered {
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #buffers = new Set<ArrayBuffer>();
  size = 0;

  add(bytes: Uint8Array): void {
    const own = ownBuffer(bytes) && !this.#buffers.has(bytes.buffer) ? bytes : new Uint8Array(bytes);
    this.#chunks.push(own);
    this.#buffers.add(own.buffer);
    this.size += own.byteLength;
  }

  take(): readonly Uint8Array<ArrayBuffer>[] {
    const chunks = this.#chunks;
    [this.#chunks, this.#buffers, this.size] = [[], new Set(), 0];
    return chunks;
  }
}

/** Whether the bytes are all of a buffer made for them: other pieces of what was read from a connection may lie in the same one. */
function ownBuffer(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength;
}

type Wait = <T>(work: Promise<T>) => Promise<T>;

async function forEachChunk(
  blob: AsyncIterable<Uint8Array>,
  wait: Wait,
  take: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const chunks = blob[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await wait(chunks.next());
      if (next.done === true) return;
      await take(next.value);
    }
  } catch (error) {
    chunks.return?.().catch(() => {}); // not awaited: it queues behind a `next` that may never answer
    throw error;
  }
}

function faultOf(message: FromWorker & { readonly is: "failed" }): Fault {
  return new Fault(message.code, message.message);
}
