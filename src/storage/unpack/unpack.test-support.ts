import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { UnpackedLayer } from "./layer-unpacking.ts";
import { LayerWorkers } from "./layer-workers.ts";
import { defaultLayerLimits, type LayerLimits } from "./limits.ts";

export interface TestLayer extends UnpackedLayer {
  /** The unpacked tree. */
  readonly root: string;
  readonly tarSplit: readonly Record<string, unknown>[];
}

/** A directory with a tree to unpack into, workers, and an outside that must stay as it is. Removed when disposed. */
export class UnpackBench implements AsyncDisposable {
  readonly directory: string;
  readonly workers = new LayerWorkers({ unpacking: 2, patienceMs: 20, idleMs: 1000 });
  #count = 0;

  constructor(parent = tmpdir()) {
    this.directory = mkdtempSync(join(parent, "crio-ts-unpack-"));
  }

  /** Where layer number `n` (from 0) is or will be unpacked. */
  root(n: number): string {
    return join(this.directory, `layer-${n}`);
  }

  async unpack(
    blob: Uint8Array | AsyncIterable<Uint8Array>,
    options: { limits?: Partial<LayerLimits>; signal?: AbortSignal; chunkBytes?: number } = {},
  ): Promise<TestLayer> {
    const n = this.#count++;
    const root = this.root(n);
    mkdirSync(root);
    const tarSplitFile = join(this.directory, `${n}.tar-split.gz`);
    const layer = await this.workers.unpack(
      blob instanceof Uint8Array ? chunksOf(blob, options.chunkBytes ?? 65_536) : blob,
      {
        directory: root,
        tarSplitFile,
        scratchFile: join(this.directory, `${n}.scratch`),
        limits: { ...defaultLayerLimits, ...options.limits },
        ignoreChownErrors: false,
      },
      options.signal ?? new AbortController().signal,
    );
    return { ...layer, root, tarSplit: tarSplitOf(tarSplitFile) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.workers.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function tarSplitOf(file: string): readonly Record<string, unknown>[] {
  return gunzipSync(readFileSync(file))
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

export async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
