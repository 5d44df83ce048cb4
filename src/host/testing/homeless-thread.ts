/** For tests: makes a network namespace with no way back, and says what it was told. */
import { closeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { Homeless } from "../homeless.ts";
import { createNamespaces, openHome } from "../namespace-steps.ts";

const home = openHome();
closeSync(home.net);
try {
  createNamespaces(home, { pins: { net: workerData }, sysctls: [] });
} catch (error) {
  parentPort?.postMessage(error instanceof Homeless ? `Homeless: ${error.message}` : `something else: ${error}`);
}
