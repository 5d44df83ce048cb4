/** The other programs that work on the daemon's store, and what the registry says that all of them should find there. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { arch } from "node:os";
import { join } from "node:path";
import { type Finished, mustRun, run } from "../../support/programs.ts";
import { plainRegistry } from "../../support/registry/index.ts";

/** podman on the daemon's store. Its containers stay out of cgroups: it cannot make them in a node. */
const podmanCommand = ["podman", "--events-backend", "none", "--cgroup-manager", "cgroupfs"];
const podmanEnv = { PODMAN_IGNORE_CGROUPSV1_WARNING: "1" };
const timeoutMs = 120_000;

export async function podman(...args: readonly string[]): Promise<string> {
  return (await mustRun([...podmanCommand, ...args], { env: podmanEnv, timeoutMs })).stdout.trim();
}

export async function tryPodman(...args: readonly string[]): Promise<Finished> {
  return await run([...podmanCommand, ...args], { env: podmanEnv, timeoutMs });
}

/** Runs a container to its end by podman, and resolves with what it says. */
export async function podmanRun(image: string, ...command: readonly string[]): Promise<string> {
  return await podman("run", "--rm", "--network=none", "--cgroups=disabled", "--entrypoint=", image, ...command);
}

export async function skopeo(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  return (await mustRun(["skopeo", ...args], { env, timeoutMs })).stdout;
}

/** An image as podman lists it. */
export interface PodmanImage {
  readonly Id: string;
  readonly Digest: string;
  readonly Names: readonly string[];
  readonly Created: number;
}

export async function podmanImages(): Promise<readonly PodmanImage[]> {
  return JSON.parse(await podman("images", "--no-trunc", "--format", "json"));
}

/** An image by the registry's word: digests of what it serves for this machine. */
export interface ServedImage {
  readonly manifestDigest: string;
  readonly id: string;
  /** Of the layers, uncompressed. */
  readonly diffIds: readonly string[];
  /** Seconds. */
  readonly created: number;
}

export async function servedImage(name: string): Promise<ServedImage> {
  const [, repository = "", tag = ""] = /^[^/]+\/(.+):([^:]+)$/.exec(name) ?? []; // the registry serves all hosts alike
  let bytes = await fetchBytes(`${repository}/manifests/${tag}`);
  let manifest = JSON.parse(bytes.toString());
  if (manifest.manifests !== undefined) {
    const wanted = arch() === "x64" ? "amd64" : arch();
    type Entry = { digest: string; platform?: { os: string; architecture: string } };
    const entry = (manifest.manifests as Entry[]).find(
      ({ platform }) => platform?.os === "linux" && platform.architecture === wanted,
    );
    bytes = await fetchBytes(`${repository}/manifests/${entry?.digest}`);
    manifest = JSON.parse(bytes.toString());
  }
  const config = JSON.parse((await fetchBytes(`${repository}/blobs/${manifest.config.digest}`)).toString());
  return {
    manifestDigest: digestOf(bytes),
    id: manifest.config.digest.replace("sha256:", ""),
    diffIds: config.rootfs.diff_ids,
    created: Date.parse(config.created) / 1000,
  };
}

async function fetchBytes(path: string): Promise<Buffer> {
  const types = ["oci.image.index.v1", "oci.image.manifest.v1", "docker.distribution.manifest.list.v2"];
  const accept = [...types, "docker.distribution.manifest.v2"].map((type) => `application/vnd.${type}+json`);
  const response = await fetch(`http://${plainRegistry}/v2/${path}`, { headers: { accept: accept.join(", ") } });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** What `skopeo copy … dir:` wrote: the digest of each blob's bytes. Throws where a blob is not what its name says. */
export async function blobsOf(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name));
  for (const name of names) {
    const digest = digestOf(await readFile(join(folder, name)));
    if (digest !== `sha256:${name}`) throw new Error(`${folder}: blob ${name} is ${digest}`);
  }
  return names.map((name) => `sha256:${name}`).toSorted();
}
