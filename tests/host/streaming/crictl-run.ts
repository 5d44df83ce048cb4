import { spawn } from "node:child_process";
import { once } from "node:events";
import { crictlPath } from "../../support/daemon/crictl.ts";

export const transports = ["spdy", "websocket"] as const;
export type Transport = (typeof transports)[number];

/** The arguments with which crictl talks to a CRI socket. */
export function crictlCommand(
  endpoint: string,
  verb: string,
  transport: Transport,
  ...args: readonly string[]
): string[] {
  const program = crictlPath() ?? "crictl";
  const endpoints = ["--runtime-endpoint", endpoint, "--image-endpoint", endpoint];
  return [program, "--config", "/dev/null", ...endpoints, verb, "--transport", transport, ...args];
}

/** A program with pipes, its input fed and its output collected by whoever calls. */
export function start([program = "", ...args]: readonly string[]) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {}); // it may end without reading
  return child;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(command: readonly string[], input = ""): Promise<Ended> {
  const child = start(command);
  const [stdout, stderr] = [child.stdout, child.stderr].map(async (stream) =>
    Buffer.concat(await stream.toArray()).toString(),
  );
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return { code, stdout: (await stdout) ?? "", stderr: (await stderr) ?? "" };
}
