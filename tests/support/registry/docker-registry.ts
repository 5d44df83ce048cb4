/** Debian's docker-registry in a node: the distribution server that most registries are made of. */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface DockerRegistry extends AsyncDisposable {
  /** `host:port`, by HTTPS with a certificate that the node trusts. */
  readonly host: string;
}

const startTimeoutMs = 30_000;

/** Starts it, empty. To be called in a node. */
export async function startDockerRegistry(port = 5001): Promise<DockerRegistry> {
  const dir = await mkdtemp("/var/tmp/docker-registry-");
  const host = `plain.test:${port}`;
  await mkdir(join(dir, "data"));
  const config = {
    version: 0.1,
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, "data") }, delete: { enabled: true } },
    http: {
      addr: `127.0.0.1:${port}`,
      secret: "of a test",
      tls: { certificate: "/run/registry-certificates/server.crt", key: "/run/registry-certificates/server.key" },
    },
  };
  await writeFile(join(dir, "config.yml"), JSON.stringify(config));
  const child = spawn("docker-registry", ["serve", join(dir, "config.yml")], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text) => (said = `${said}${text}`.slice(-4096)));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const registry: DockerRegistry = {
    host,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
      await rm(dir, { recursive: true });
    },
  };
  for (const until = Date.now() + startTimeoutMs; ; await sleep(50)) {
    const answer = await fetch(`https://${host}/v2/`).catch(() => undefined);
    if (answer?.ok === true) return registry;
    if (child.exitCode !== null || Date.now() > until) {
      await registry[Symbol.asyncDispose]();
      throw new Error(`docker-registry did not start: ${said}`);
    }
  }
}

/** Pushes a blob; `digest` is that of the bytes. */
export async function putBlob(
  host: string,
  repository: string,
  blob: { digest: string; bytes: Uint8Array },
): Promise<void> {
  const begun = await fetch(`https://${host}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  const url = new URL(begun.headers.get("location") ?? "", `https://${host}`);
  url.searchParams.set("digest", blob.digest);
  const headers = { "content-type": "application/octet-stream" };
  const done = await fetch(url, { method: "PUT", headers, body: new Uint8Array(blob.bytes) });
  if (done.status !== 201) throw new Error(`pushing a blob: ${done.status} ${await done.text()}`);
}

/** Pushes a manifest under a tag. */
export async function putManifest(host: string, repository: string, tag: string, manifest: object): Promise<void> {
  const headers = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
  const body = JSON.stringify(manifest);
  const done = await fetch(`https://${host}/v2/${repository}/manifests/${tag}`, { method: "PUT", headers, body });
  if (done.status !== 201) throw new Error(`pushing a manifest: ${done.status} ${await done.text()}`);
}
