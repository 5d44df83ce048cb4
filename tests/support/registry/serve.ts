/**
 * node tests/support/registry/serve.ts --listen 127.0.0.1:PORT [--fixtures FOLDER]
 * Serves the fixture images over plain HTTP until it is ended; prints `listening on ADDRESS` once it does. Port 0: any.
 */
import { parseArgs } from "node:util";
import { fixtureImages } from "../fixtures/index.ts";
import { startRegistry } from "./server.ts";

const { values } = parseArgs({
  options: { listen: { type: "string", default: "127.0.0.1:0" }, fixtures: { type: "string" } },
});
const [host = "127.0.0.1", port = "0"] = values.listen.split(":");
const folder = values.fixtures ?? (await fixtureImages());
const registry = await startRegistry({ folder, listeners: [{ host, port: Number(port) }] });
process.stdout.write(`listening on ${registry.addresses[0]}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void registry[Symbol.asyncDispose]());
