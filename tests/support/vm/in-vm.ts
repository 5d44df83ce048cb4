/**
 * node tests/support/vm/in-vm.ts [options] -- COMMAND...     runs a command in the virtual machine
 *   --timeout SECONDS  for boot and command, default 900
 *   --share FOLDER     show a host folder, writable; repeatable
 *   --guard            as in a node: with network, registry and trust, and with what is left over counted
 *   --console          print what the guest's kernel and systemd said
 */
import { parseArgs } from "node:util";
import { runGuardedInVm } from "./guarded.ts";
import { runInVm } from "./run.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    timeout: { type: "string", default: "900" },
    share: { type: "string", multiple: true, default: [] },
    guard: { type: "boolean", default: false },
    console: { type: "boolean", default: false },
  },
});
const result = await (values.guard ? runGuardedInVm : runInVm)({
  command: positionals,
  shares: values.share.map((source) => ({ source, writable: true })),
  timeoutMs: Number(values.timeout) * 1000,
  onOutput: (text) => process.stdout.write(text),
});
if (values.console || result.code >= 124) process.stderr.write(`${result.console}\n`);
process.exitCode = result.code;
