/**
 * The floors: what a pull cannot do without, each alone, by the fastest program at hand. As a program of its own, it does one of
 * the two that a library does, on a file, and prints its CPU seconds: `floors.ts hash|inflate FILE`.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { createGunzip } from "node:zlib";
import { mustRun } from "../../support/programs.ts";
import { usageOfProgram } from "./usage.ts";

/** CPU seconds of each. */
export interface Floors {
  readonly hash: number;
  readonly decompress: number;
  readonly write: number;
}

/** Measures the floors of an image with these layers, gzipped. */
export async function measureFloors(layers: readonly string[]): Promise<Floors> {
  let floors: Floors = { hash: 0, decompress: 0, write: 0 };
  const folder = "/var/tmp/floors";
  for (const layer of layers) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const archive = "/var/tmp/floors.tar";
    await mustRun(["bash", "-c", `gzip -dc "$1" >"$2"`, "bash", layer, archive]);
    floors = {
      hash: floors.hash + (await alone("hash", layer)) + (await alone("hash", archive)),
      decompress: floors.decompress + (await alone("inflate", layer)),
      write: floors.write + (await usageOfProgram(["tar", "-xf", archive, "-C", folder])).cpuSeconds,
    };
    await rm(archive);
  }
  await rm(folder, { recursive: true, force: true });
  return floors;
}

async function alone(what: "hash" | "inflate", file: string): Promise<number> {
  const { stdout } = await mustRun([process.execPath, fileURLToPath(import.meta.url), what, file]);
  return Number(stdout);
}

const chunk = Buffer.alloc(2 ** 20);

function* chunksOf(file: string): Generator<Buffer> {
  const fd = openSync(file, "r");
  for (let size = readSync(fd, chunk); size > 0; size = readSync(fd, chunk)) yield chunk.subarray(0, size);
  closeSync(fd);
}

async function inflate(file: string): Promise<void> {
  const gunzip = createGunzip({ chunkSize: 2 ** 20 });
  const ended = new Promise<void>((resolve, reject) => gunzip.once("end", resolve).once("error", reject));
  // Giving the buffer back at once is worth a third of the time: the same pages serve again.
  gunzip.on("data", (bytes: Buffer) => {
    if (bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer) bytes.buffer.transfer(0);
  });
  for (const bytes of chunksOf(file)) await new Promise((resolve) => gunzip.write(bytes, resolve));
  gunzip.end();
  await ended;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [what, file = ""] = process.argv.slice(2);
  const before = process.cpuUsage();
  if (what === "hash") {
    const hash = createHash("sha256");
    for (const bytes of chunksOf(file)) hash.update(bytes);
    hash.digest();
  } else await inflate(file);
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(`${(user + system) / 1e6}`);
}
