import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../../support/programs.ts";

const port = 9000;

/** socat in a process's network namespace: zeros without end for whoever connects to the port. */
export async function startPodSource(pid: number): Promise<AsyncDisposable & { readonly port: number }> {
  const inPod = ["nsenter", `--net=/proc/${pid}/ns/net`];
  const listen = `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr`;
  const [program = "", ...args] = [...inPod, "socat", "-b", "262144", "-u", "OPEN:/dev/zero", listen];
  const child = spawn(program, args, { stdio: "ignore" });
  const exited = once(child, "exit");
  while (!(await run([...inPod, "ss", "-Hltn", `sport = :${port}`])).stdout.includes(":")) await sleep(20);
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}
