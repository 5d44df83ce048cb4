import { parentPort } from "node:worker_threads";
import { codeOf, Fault, reasonOf } from "../base/index.ts";
import type { WorkerAnswer } from "./serial-worker.ts";

/**
 * The thread's side of a SerialWorker: answers each request with what `handle` returns or throws. After an error for
 * which `isFatal` the thread ends, and whoever waits hears that it died, and of what.
 */
export function serveRequests<Request, Reply>(
  handle: (request: Request) => Reply,
  isFatal: (error: unknown) => boolean = () => false,
): void {
  const port = parentPort;
  if (port === null) throw new Fault("failed", "this is the code of a worker thread, not a program");
  const post = (answer: WorkerAnswer<Reply>) => port.postMessage(answer);
  port.on("message", (request: Request) => post(answerOf(() => handle(request), isFatal)));
  post({ is: "ready" });
}

function answerOf<Reply>(work: () => Reply, isFatal: (error: unknown) => boolean): WorkerAnswer<Reply> {
  try {
    return { is: "done", reply: work() };
  } catch (error) {
    if (isFatal(error)) throw error; // uncaught: ends the thread
    return { is: "failed", code: codeOf(error), message: reasonOf(error) };
  }
}
