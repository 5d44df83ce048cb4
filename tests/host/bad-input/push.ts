/** Gives the node's registry images of a test's own. */
import {
  buildImage,
  digestOf,
  type Fixture,
  type FixtureDigest,
  type ImagePlan,
  type Platform,
} from "../../support/fixtures/index.ts";
import { plainRegistry } from "../../support/registry/index.ts";

/** That of this machine. */
export const platform: Platform = {
  os: "linux",
  architecture: process.arch === "x64" ? "amd64" : process.arch,
  ...(process.arch === "arm64" && { variant: "v8" }),
};

const registryHost = "quay.io";
const folder = "bad-input";

/** The name that an image of a repository of ours is pulled by. */
export function imageName(repository: string): string {
  return `${registryHost}/${folder}/${repository}:latest`;
}

/** Builds an image for this machine and pushes it; resolves with the name to pull it by. */
export async function pushImage(repository: string, plan: Partial<ImagePlan>): Promise<string> {
  return await pushFixture(repository, buildImage({ layers: [], config: {}, platform, ...plan }));
}

/** Pushes all of a fixture, the manifests that an index lists under their digests. */
export async function pushFixture(repository: string, { manifest, blobs }: Fixture): Promise<string> {
  for (const [digest, bytes] of blobs) {
    await pushBlob(repository, bytes);
    const mediaType = manifestTypeOf(bytes);
    if (mediaType !== undefined) await pushManifest(repository, { reference: digest, mediaType, bytes });
  }
  const bytes = blobs.get(manifest.digest);
  if (bytes === undefined) throw new Error(`the fixture lacks its own manifest ${manifest.digest}`);
  return await pushManifest(repository, { mediaType: manifest.mediaType, bytes });
}

/** Pushes bytes as they are. */
export async function pushBlob(repository: string, bytes: Uint8Array): Promise<FixtureDigest> {
  const digest = digestOf(bytes);
  await send("POST", `${repository}/blobs/uploads/?digest=${digest}`, bytes, "application/octet-stream");
  return digest;
}

/** Pushes a manifest under a tag or digest; resolves with the name to pull it by. */
export async function pushManifest(
  repository: string,
  manifest: { readonly bytes: Uint8Array; readonly mediaType: string; readonly reference?: string },
): Promise<string> {
  const { bytes, mediaType, reference = "latest" } = manifest;
  await send("PUT", `${repository}/manifests/${reference}`, bytes, mediaType);
  return imageName(repository);
}

async function send(method: string, path: string, bytes: Uint8Array, mediaType: string): Promise<void> {
  const response = await fetch(`http://${plainRegistry}/v2/${folder}/${path}`, {
    method,
    body: new Uint8Array(bytes),
    headers: { "content-type": mediaType },
    signal: AbortSignal.timeout(20_000),
  });
  if (response.status !== 201) throw new Error(`pushing ${path}: ${response.status} ${await response.text()}`);
}

function manifestTypeOf(bytes: Uint8Array): string | undefined {
  if (bytes[0] !== 0x7b || bytes.length > 1 << 20) return undefined;
  const { mediaType } = JSON.parse(Buffer.from(bytes).toString()) as { readonly mediaType?: string }; // of our own making
  return mediaType;
}

const types = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

/** What a manifest of ours says, to be spoilt. */
export interface RawManifest {
  readonly schemaVersion: number;
  readonly mediaType: string;
  readonly config: { readonly mediaType: string; readonly digest: string; readonly size: number };
  readonly layers: readonly { readonly mediaType: string; readonly digest: string; readonly size: number }[];
}

export interface RawImage {
  /** Blobs as they are sent, which need not be archives. */
  readonly layers: readonly Buffer[];
  /** Digests of the archives. Default: those of the blobs, which are not compressed then. */
  readonly diffIds?: readonly string[];
  /** Changes the manifest before it is pushed; bytes are taken as they are. */
  readonly spoil?: (manifest: RawManifest) => unknown;
  readonly mediaType?: string;
}

/** Pushes an image blob by blob, with whatever is wrong with it; resolves with the name to pull it by. */
export async function pushRaw(repository: string, image: RawImage): Promise<string> {
  const { layers, diffIds = layers.map(digestOf), spoil = (manifest) => manifest, mediaType = types.manifest } = image;
  const config = {
    created: "2024-01-01T00:00:00Z",
    ...platform,
    config: {},
    rootfs: { type: "layers", diff_ids: diffIds },
  };
  const describe = async (type: string, bytes: Buffer) => ({
    mediaType: type,
    digest: await pushBlob(repository, bytes),
    size: bytes.length,
  });
  const manifest: RawManifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: await describe(types.config, Buffer.from(JSON.stringify(config))),
    layers: await Promise.all(layers.map((bytes) => describe(types.layer, bytes))),
  };
  const spoilt = spoil(manifest);
  const bytes = spoilt instanceof Uint8Array ? spoilt : Buffer.from(JSON.stringify(spoilt));
  return await pushManifest(repository, { bytes, mediaType });
}
