import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { mustRun } from "../programs.ts";

export interface DockerRegistryOptions {
  readonly port: number;
  /** Files; without them it is plain HTTP. With `clientAuthority`, clients must show a certificate of that authority. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientAuthority?: string };
  /** A file of `user:bcrypt` lines, as `htpasswd -B` writes them; without it everybody may read. */
  readonly htpasswd?: string;
}

/** Debian's docker-registry, the reference implementation, on loopback of a node. Stops with `await using`. */
export interface DockerRegistry extends AsyncDisposable {
  readonly host: string;
  /** Copies an image of the node's own registry into it, as `repository:tag`. */
  take(source: string, target: string, options?: readonly string[]): Promise<void>;
  /** The paths that it was asked for by GET since the last call. */
  takeRequests(): readonly string[];
}

const startTimeoutMs = 20_000;

export async function startDockerRegistry({ port, tls, htpasswd }: DockerRegistryOptions): Promise<DockerRegistry> {
  const folder = await mkdtemp("/var/tmp/docker-registry-");
  const host = `127.0.0.1:${port}`;
  const secure =
    tls === undefined
      ? ""
      : `  tls:\n    certificate: ${tls.certificate}\n    key: ${tls.key}\n${
          tls.clientAuthority === undefined ? "" : `    clientcas: [${tls.clientAuthority}]\n`
        }`;
  const auth = htpasswd === undefined ? "" : `auth:\n  htpasswd: {realm: test, path: ${htpasswd}}\n`;
  const config = `version: 0.1
log: {level: error, formatter: json, accesslog: {disabled: false}}
storage: {filesystem: {rootdirectory: ${folder}/data}}
http:
  addr: ${host}
${secure}${auth}`;
  await writeFile(join(folder, "config.yml"), config);
  const child = spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const exited = once(child, "exit");
  await untilListening(port, child, () => said);
  return {
    host,
    async take(source, target, options = []) {
      const to = ["--dest-tls-verify=false", ...options, `docker://${host}/${target}`];
      await mustRun(["skopeo", "copy", "--all", `docker://${source}`, ...to]);
    },
    takeRequests() {
      const lines = said.split("\n");
      said = "";
      return lines.flatMap((line) => /"GET (\/v2\/[^ "]*)/.exec(line)?.[1] ?? []);
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}

async function untilListening(port: number, child: ChildProcess, said: () => string): Promise<void> {
  for (const until = Date.now() + startTimeoutMs; ; await sleep(50)) {
    if (await answers(port)) return;
    if (child.exitCode !== null || Date.now() > until) throw new Error(`docker-registry does not serve: ${said()}`);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(port, "127.0.0.1");
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}
