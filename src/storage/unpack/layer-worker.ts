/**
 * The worker thread that unpacks layers, reads them back and removes trees: everything in it that touches files is synchronous, and for a
 * layer confined to the layer's directory. Decompression is asynchronous but touches no files.
 */
import { closeSync, openSync, unlinkSync } from "node:fs";
import { stat } from "node:fs/promises";
import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { codeOf, reasonOf } from "../../base/index.ts";
import { Confinement } from "./confine.ts";
import { LayerUnpacking } from "./layer-unpacking.ts";
import { verifyLayer } from "./layer-verifying.ts";
import { removeTree } from "./remove-tree.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";

const port = parentPort;
/** Among the threads of the daemon alone: pods have cgroups of their own. */
const niceness = 10;

if (port !== null) {
  setPriority(0, niceness); // of this thread, on Linux: the thread that answers calls goes first
  // The pool's threads inherit the root directory of the thread that starts them: they must exist before any chroot.
  await stat("/");
  const confinement = new Confinement();
  let unpacking: { readonly layer: LayerUnpacking; readonly fds: readonly number[] } | undefined;
  let turn = Promise.resolve();

  const answer = (message: FromWorker) => port.postMessage(message);

  const stop = () => {
    confinement.leave();
    unpacking?.layer.close();
    for (const fd of unpacking?.fds ?? []) closeSync(fd);
    unpacking = undefined;
  };

  const start = (job: ToWorker & { is: "unpack" }) => {
    const tarSplitFd = openSync(job.tarSplitFile, "wx", 0o600);
    const scratchFd = openSync(job.scratchFile, "wx+", 0o600);
    unlinkSync(job.scratchFile);
    const { limits, ignoreChownErrors } = job;
    const layer = new LayerUnpacking({ tarSplitFd, scratchFd, limits, ignoreChownErrors });
    unpacking = { layer, fds: [tarSplitFd, scratchFd] };
    confinement.enter(job.directory);
  };

  const verify = async ({ directory, tarSplitFile, ...options }: ToWorker & { is: "verify" }) => {
    const tarSplitFd = openSync(tarSplitFile, "r");
    try {
      confinement.enter(directory);
      return await verifyLayer({ ...options, tarSplitFd });
    } finally {
      confinement.leave();
      closeSync(tarSplitFd);
    }
  };

  const handle = async (message: ToWorker) => {
    switch (message.is) {
      case "unpack":
        return start(message);
      case "chunks": {
        let bytes = 0;
        for (const { buffer, byteOffset, byteLength } of message.chunks) {
          if (unpacking === undefined) return; // what was on the way when the job failed
          await unpacking.layer.write(Buffer.from(buffer, byteOffset, byteLength));
          bytes += byteLength;
          if (buffer instanceof ArrayBuffer) buffer.transfer(0); // now, not when the garbage collector comes round
        }
        return answer({ is: "consumed", bytes });
      }
      case "end": {
        if (unpacking === undefined) return;
        const layer = await unpacking.layer.finish();
        stop();
        return answer({ is: "unpacked", layer });
      }
      case "verify":
        return answer({ is: "verified", layer: await verify(message) });
      case "remove":
        removeTree(message.directory);
        return answer({ is: "removed" });
    }
  };

  port.on("message", (message: ToWorker) => {
    turn = turn
      .then(() => handle(message))
      .catch((error: unknown) => {
        stop();
        answer({ is: "failed", code: codeOf(error), message: reasonOf(error) });
      });
  });
}
