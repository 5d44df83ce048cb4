import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { nodeBinary } from "../../support/paths.ts";

/** A program in a pod's network namespace that sends back what it is sent. */
export interface PodServer extends AsyncDisposable {
  /** Listens on the pod's 127.0.0.1 alone, and on its ::1 alone. */
  readonly ports: { readonly ipv4: number; readonly ipv6: number };
}

/** Starts `echo-server.ts` in the network namespace at `netns`, outside of all containers. */
export async function startPodServer(netns: string): Promise<PodServer> {
  const script = fileURLToPath(new URL("echo-server.ts", import.meta.url));
  const command = [`--net=${netns}`, nodeBinary, script];
  const child = spawn("nsenter", command, { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  return {
    ports: JSON.parse(line),
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}
