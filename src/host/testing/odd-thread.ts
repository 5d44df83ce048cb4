/** For tests: a thread that answers, fails, dies or hangs, as it is told. */
import { threadId } from "node:worker_threads";
import { Fault } from "../../base/index.ts";
import { serveRequests } from "../worker-port.ts";

class Fatal extends Error {}

serveRequests(
  (request: string): string => {
    if (request === "fail") throw new Fault("denied", "as told");
    if (request === "die") process.exit(3);
    if (request === "fatal") throw new Fatal("the end");
    if (request.startsWith("hang"))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(request.slice(4)));
    return `${threadId}`;
  },
  (error) => error instanceof Fatal,
);
