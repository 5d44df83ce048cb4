/** For tests: a store in a directory of its own, and quick ways to put things into it. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { createLogger } from "../../base/index.ts";
import { type Digest, digestHex, digestOf } from "../../oci/index.ts";
import { type OpenStoreOptions, openStore } from "../open-store.ts";
import type { Store } from "../store.ts";
import { type TestEntry, tarOf } from "../unpack/tar-writer.test-support.ts";
import { chunksOf } from "../unpack/unpack.test-support.ts";

export const signal = new AbortController().signal;

/** Opens the store in `directory`, logging warnings to the standard error output. */
export async function openTestStore(directory: string, options: Partial<OpenStoreOptions> = {}): Promise<Store> {
  const log = createLogger({ level: () => "warn", format: "text", write: (line) => process.stderr.write(line) });
  return openStore({
    graphRoot: join(directory, "root"),
    runRoot: join(directory, "run"),
    driverOptions: [],
    log,
    ...options,
  });
}

/** Unpacks archives on top of each other and commits them; resolves with the ids, bottom first. */
export async function putLayers(
  store: Store,
  ...layers: readonly (readonly TestEntry[])[]
): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const entries of layers) {
    const staged = await store.stageLayer(chunksOf(tarOf(...entries), 65_536), { signal });
    const parent = ids.at(-1);
    const id = store.layerIdOf(parent, staged.diffId);
    await store.commitLayer(staged, { id, ...(parent === undefined ? {} : { parent }) });
    ids.push(id);
  }
  return ids;
}

/** An image with these layers; resolves with its id. */
export async function putImage(
  store: Store,
  name: string,
  ...layers: readonly (readonly TestEntry[])[]
): Promise<string> {
  const ids = await putLayers(store, ...layers);
  const diffIds: (Digest | string)[] = [];
  for (const id of ids) diffIds.push((await store.layer(id))?.diffId ?? "");
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Env: [name] },
      rootfs: { type: "layers", diff_ids: diffIds },
    }),
  );
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config: { digest: digestOf(config) }, layers: [] }));
  const top = ids.at(-1);
  const id = digestHex(digestOf(config));
  await store.createImage({
    id,
    names: [name],
    digest: digestOf(manifest),
    ...(top === undefined ? {} : { layer: top }),
    data: [
      { key: digestOf(config), bytes: config },
      { key: `manifest-${digestOf(manifest)}`, bytes: manifest },
      { key: "manifest", bytes: manifest },
    ],
  });
  return id;
}

export function json(path: string): Record<string, unknown>[] {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** All that is in `directory`, by relative paths, without what locks and probes leave. */
export function treeOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .filter((path) => !/\.lock$|-true$|-false$/.test(path))
    .sort();
}
