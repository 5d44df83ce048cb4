import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { cached, contentKey, contentOf } from "../../support/cache.ts";
import { fixedTime, type TarEntry, writeTar } from "../../support/fixtures/index.ts";
import { userland, userlandKey } from "../../support/userland/index.ts";

/** Where a node sees the images, an OCI image layout. */
export const imagesTarget = "/opt/bench-images";

const mib = 2 ** 20;
const fewLayers = 4;

/** The images of the layout: the two that are measured, and the layers of the first one each as an image of its own. */
export const imageNames = {
  few: "few",
  many: "many",
  apart: Array.from({ length: fewLayers }, (_, at) => `apart-${at}`),
} as const;

interface Blob {
  readonly digest: string;
  readonly size: number;
  readonly diffId: string;
}

/**
 * The images to pull: `few`, 1 GiB in four layers of files of 4 MiB, and `many`, 50,000 files of 4 KiB on average in one. What
 * is in the files is taken from Debian's programs and libraries, so that it compresses as they do. Made once, and cached.
 */
export async function benchImages(say: (text: string) => void): Promise<string> {
  const key = contentKey(process.version, await userlandKey(), ...(await contentOf([new URL(import.meta.url)])));
  return cached({
    name: "bench-images",
    key,
    keep: 1,
    build: async (folder) => {
      say("making the images to pull (once, about a minute)");
      await writeImages(folder, await poolOf(join(await userland(), "usr")));
    },
  });
}

async function writeImages(folder: string, pool: Buffer): Promise<void> {
  await mkdir(join(folder, "blobs/sha256"), { recursive: true });
  const few: Blob[] = [];
  for (let layer = 0; layer < fewLayers; layer++) few.push(await writeLayer(folder, largeFiles(pool, layer)));
  const many = await writeLayer(folder, smallFiles(pool));
  const manifests = [
    await writeImage(folder, imageNames.few, few),
    await writeImage(folder, imageNames.many, [many]),
    ...(await Promise.all(few.map((layer, at) => writeImage(folder, imageNames.apart[at] ?? "", [layer])))),
  ];
  await writeFile(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  await writeFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

function largeFiles(pool: Buffer, layer: number): TarEntry[] {
  return Array.from({ length: 64 }, (_, file): TarEntry => {
    const at = ((layer * 64 + file) * 4 * mib + layer * 777) % (pool.length - 4 * mib);
    return {
      is: "file",
      path: `data/layer-${layer}/file-${file}`,
      content: pool.subarray(at, at + 4 * mib),
      mtime: fixedTime,
    };
  });
}

function smallFiles(pool: Buffer): TarEntry[] {
  const entries: TarEntry[] = [];
  let at = 0;
  for (let file = 0; file < 50_000; file++) {
    const directory = `app/modules/package-${Math.floor(file / 50)}/lib`;
    if (file % 50 === 0) entries.push({ is: "directory", path: directory });
    const size = 512 + ((file * 7919) % 7168);
    at = (at + size) % (pool.length - 8192);
    entries.push({ is: "file", path: `${directory}/file-${file}.js`, content: pool.subarray(at, at + size) });
  }
  return entries;
}

async function writeLayer(folder: string, entries: readonly TarEntry[]): Promise<Blob> {
  const archive = writeTar(entries);
  const packed = await promisify(gzip)(archive, { level: 6 });
  return { ...(await writeBlob(folder, packed)), diffId: digestOf(archive) };
}

async function writeImage(folder: string, name: string, layers: readonly Blob[]): Promise<object> {
  const config = await writeBlob(folder, {
    created: "2024-01-01T00:00:00Z",
    os: "linux",
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
  });
  const kind = "application/vnd.oci.image";
  const manifest = await writeBlob(folder, {
    schemaVersion: 2,
    mediaType: `${kind}.manifest.v1+json`,
    config: { mediaType: `${kind}.config.v1+json`, ...config },
    layers: layers.map(({ digest, size }) => ({ mediaType: `${kind}.layer.v1.tar+gzip`, digest, size })),
  });
  const annotations = { "org.opencontainers.image.ref.name": name };
  return { mediaType: `${kind}.manifest.v1+json`, ...manifest, annotations };
}

async function writeBlob(folder: string, content: Buffer | object): Promise<{ digest: string; size: number }> {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  const digest = digestOf(bytes);
  await writeFile(join(folder, "blobs/sha256", digest.slice("sha256:".length)), bytes);
  return { digest, size: bytes.length };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** What is in the files below a folder, one after the other. */
async function poolOf(folder: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const path of paths.toSorted()) {
    const bytes = await readFile(path);
    parts.push(bytes);
    size += bytes.length;
    if (size > 320 * mib) break;
  }
  return Buffer.concat(parts);
}
