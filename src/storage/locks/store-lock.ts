import type { Clock } from "../../base/index.ts";
import { lockFile } from "../../host/index.ts";
import { type ChangeToken, newToken, readToken, writeToken } from "./change-token.ts";

/** The lock, held. */
export interface HeldLock {
  /** The change token as it stands. */
  token(): Promise<ChangeToken>;
  /** For the holder of the write lock, before the change becomes visible: puts a new token and returns it. */
  recordChange(): Promise<ChangeToken>;
}

export interface StoreLockOptions {
  readonly path: string;
  readonly clock: Clock;
  /** How long to wait for others: programs that share the store may hold a lock while they unpack a layer. */
  readonly timeoutMs: number;
}

/** One of the lock files of a store with its change token, see reference ondisk.md 2.2. */
export class StoreLock {
  readonly path: string;
  readonly #options: StoreLockOptions;
  #changes = 0n;

  constructor(options: StoreLockOptions) {
    this.path = options.path;
    this.#options = options;
  }

  /** Runs `work` while nobody changes what the lock guards. Rejects with Fault("deadline") or the signal's reason when it cannot be had. */
  async read<T>(work: (held: HeldLock) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#with("read", work, signal);
  }

  /** Runs `work` while nobody else reads or changes what the lock guards. */
  async write<T>(work: (held: HeldLock) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#with("write", work, signal);
  }

  async #with<T>(mode: "read" | "write", work: (held: HeldLock) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const { timeoutMs, clock } = this.#options;
    using lock = await lockFile(this.path, mode, { timeoutMs, ...(signal === undefined ? {} : { signal }) });
    return await work({
      token: () => readToken(lock.fd),
      recordChange: async () => {
        const token = newToken(clock.nowNs(), ++this.#changes);
        await writeToken(lock.fd, token);
        return token;
      },
    });
  }
}
