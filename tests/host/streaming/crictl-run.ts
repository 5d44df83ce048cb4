import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";

export const transports = ["spdy", "websocket"] as const;
export type Transport = (typeof transports)[number];

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

/** Runs a program to its end; without `input` it reads an end at once. */
export async function run(command: readonly string[], input = ""): Promise<Ended> {
  const child = start(command);
  child.stdin.end(input);
  return await endOf(child);
}

/** Collects what a program writes until it ends. */
export async function endOf(child: ReturnType<typeof start>): Promise<Ended> {
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => textOf(stream));
  const [code] = await once(child, "close");
  return { code, stdout: (await stdout) ?? "", stderr: (await stderr) ?? "" };
}

async function textOf(stream: Readable): Promise<string> {
  return Buffer.concat(await stream.toArray()).toString();
}

/** The local port that `crictl port-forward` says it has taken. */
export async function forwardedPort(stdout: Readable): Promise<number> {
  let text = "";
  for await (const bytes of stdout.iterator({ destroyOnReturn: false })) {
    text += bytes;
    const port = /127\.0\.0\.1:(\d+) ->/.exec(text)?.[1];
    if (port === undefined) continue;
    stdout.resume();
    return Number(port);
  }
  throw new Error(`no port was forwarded: ${text}`);
}
