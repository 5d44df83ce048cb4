import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { packageTarget } from "./containerd-package.ts";

const dir = "/run/bench-containerd";
const programs = `${packageTarget}/usr/bin`;

/** containerd as Debian ships it, with its own defaults; undefined where it is not to be had. */
export async function startContainerd(
  netDir: string,
): Promise<(AsyncDisposable & { readonly socket: string; readonly pid: number }) | undefined> {
  if (!existsSync(`${programs}/containerd`)) return undefined;
  await mkdir(dir, { recursive: true });
  await writeFile(`${dir}/config.toml`, configuration(netDir));
  const env = {
    ...process.env,
    PATH: `${programs}:${process.env.PATH}`,
    SSL_CERT_FILE: process.env.CRIO_TS_REGISTRY_CA,
  };
  const child = spawn(`${programs}/containerd`, ["--config", `${dir}/config.toml`], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = createWriteStream(`${dir}/log`);
  child.stderr.pipe(log);
  child.stdout.pipe(log);
  const exited = once(child, "exit");
  const socket = `${dir}/containerd.sock`;
  const deadline = Date.now() + 30_000;
  while (!(await answers(socket))) {
    if (Date.now() > deadline || child.exitCode !== null) throw new Error(`containerd does not serve: see ${dir}/log`);
    await sleep(50);
  }
  return {
    socket,
    pid: child.pid ?? -1,
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}

function configuration(netDir: string): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  const runtime = (name: string, path: string) => `[${cri}.containerd.runtimes.${name}]
runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.${name}.options]
BinaryName = "${path}"
`;
  return `version = 2
root = "/var/tmp/containerd"
state = "${dir}/state"
[grpc]
address = "${dir}/containerd.sock"
[${cri}]
sandbox_image = "registry.k8s.io/pause:3.10.1"
restrict_oom_score_adj = true
[${cri}.cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${netDir}"
${runtime("runc", "/usr/sbin/runc")}${runtime("crun", "/usr/bin/crun")}`;
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}
