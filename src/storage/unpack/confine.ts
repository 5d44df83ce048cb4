import { constants, openSync } from "node:fs";
import { chdir, chroot, fchdir, kernel, unshareFs } from "../../host/index.ts";

/**
 * Confines the synchronous file system calls of this worker thread to a directory, and lets it out again.
 * `..` and absolute symbolic links then lead nowhere else. Asynchronous calls run on other threads, which are not
 * confined: between `enter` and `leave` there must be none.
 */
export class Confinement {
  readonly #outside: number;

  /** Gives this thread a root and working directory of its own. For worker threads only. */
  constructor() {
    this.#outside = openSync("/", kernel.O_PATH | constants.O_DIRECTORY);
    unshareFs();
  }

  enter(directory: string): void {
    chroot(directory);
    chdir("/");
  }

  /** Idempotent. */
  leave(): void {
    fchdir(this.#outside);
    chroot(".");
  }
}
