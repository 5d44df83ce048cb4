/**
 * node tests/support/node/in-node.ts [options] -- COMMAND...     runs a command in a throw-away node, on this terminal
 *   --name NAME        part of the node's host name
 *   --timeout SECONDS  default 3600
 *   --share PATH       show a host folder, writable; repeatable
 *   --no-registry      without the loopback registry
 *   --leaks-ok         report what is left over, but do not fail for it
 */
import { parseArgs } from "node:util";
import { projectRoot } from "../paths.ts";
import { runInNode } from "./launch.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: "string" },
    timeout: { type: "string", default: "3600" },
    share: { type: "string", multiple: true, default: [] },
    "no-registry": { type: "boolean", default: false },
    "leaks-ok": { type: "boolean", default: false },
  },
});
const result = await runInNode({
  command: positionals.length > 0 ? positionals : ["bash"],
  cwd: process.cwd().startsWith(projectRoot) ? process.cwd() : projectRoot,
  ...(values.name !== undefined && { name: values.name }),
  timeoutMs: Number(values.timeout) * 1000,
  shares: values.share.map((source) => ({ source, writable: true })),
  registry: !values["no-registry"],
  leaksFail: !values["leaks-ok"],
  attached: true,
});
process.exitCode = result.code;
