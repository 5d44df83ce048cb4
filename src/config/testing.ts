import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loadConfig } from "./load.ts";

/** A directory for one test, with these files; removed when the test ends. */
export async function testDirectory(
  files: Readonly<Record<string, string>> = {},
): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "crio-config-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** What `loadConfig` is given in a test. */
export interface Given {
  /** `crio.conf`, `crio.conf.d/…` and `storage.conf`. */
  readonly files?: Readonly<Record<string, string>>;
  readonly flags?: Readonly<Record<string, string | readonly string[]>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** Loads a configuration from files in a directory of its own; nothing of the host's configuration is read. */
export async function load({ files = {}, flags = {}, env = {} }: Given = {}) {
  await using directory = await testDirectory({ "storage.conf": "", "crio.conf": "", ...files });
  const place = (name: string) => join(directory.path, name);
  return await loadConfig({
    // not before the directory goes
    flags: new Map(Object.entries(flags).map(([flag, texts]) => [flag, typeof texts === "string" ? [texts] : texts])),
    env: {
      CONTAINERS_STORAGE_CONF: place("storage.conf"),
      CONTAINER_CONFIG: place("crio.conf"),
      CONTAINER_CONFIG_DIR: place("crio.conf.d"),
      ...env,
    },
  });
}
