/** For tests: goes into the directory given and says what it finds at an absolute link there. */
import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { chdir, chroot, unshareFs } from "../syscalls.ts";

unshareFs();
chroot(workerData);
chdir("/");
parentPort?.postMessage(readFileSync("/absolute-link", "utf8"));
