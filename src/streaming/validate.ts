import { Fault } from "../base/index.ts";
import type { AttachRequest, ExecRequest, PortForwardRequest, StreamSelection } from "./backend.ts";
import { limits } from "./limits.ts";

/** Throws Fault("invalid") with the kubelet's words (cri.md 5). */
export function checkExec(request: ExecRequest): void {
  checkContainer(request.containerId);
  checkStreams(request, "or");
  const bytes = request.command.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0);
  if (bytes > limits.waitingBytes / 8) {
    throw new Fault("invalid", `the command has ${bytes} bytes; no kernel starts a program with so many`);
  }
}

/** Throws Fault("invalid") with the kubelet's words. */
export function checkAttach(request: AttachRequest): void {
  checkContainer(request.containerId);
  checkStreams(request, "and");
}

/** Throws Fault("invalid") with the kubelet's words. */
export function checkPortForward({ podId, ports = [] }: PortForwardRequest): void {
  if (podId === "") throw new Fault("invalid", "missing required pod_sandbox_id");
  const wrong = ports.find((port) => !Number.isInteger(port) || port < 1 || port > 65_535);
  if (wrong !== undefined) throw new Fault("invalid", `port ${wrong} cannot be forwarded: it must be 1 to 65535`);
  if (ports.length > limits.forwardStreams / 2) {
    throw new Fault("invalid", `${ports.length} ports are more than one connection can forward`);
  }
}

function checkContainer(containerId: string): void {
  if (containerId === "") throw new Fault("invalid", "missing required container_id");
}

/** The kubelet says "or" for exec and "and" for attach. */
function checkStreams({ tty, stdin, stdout, stderr }: StreamSelection, word: "or" | "and"): void {
  if (tty && stderr) throw new Fault("invalid", "tty and stderr cannot both be true");
  if (!stdin && !stdout && !stderr) throw new Fault("invalid", `one of stdin, stdout, ${word} stderr must be set`);
}
