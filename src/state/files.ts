import { join } from "node:path";
import { errnoOf, isFault } from "../base/index.ts";
import { readBounded, writeFileAtomic } from "../host/index.ts";
import { maxRuntimeSpecBytes, parseRuntimeSpec, type RuntimeSpec, runtimeJson } from "../oci/index.ts";
import type { Container } from "./container.ts";
import { maxStateBytes, parseStateJson, type StoredState, stateJson } from "./state-json.ts";

/** Writes config.json to Dir, where a restart finds it, and to RunDir, where the runtime does. */
export async function writeSpec(
  dirs: { readonly dir: string; readonly runDir: string },
  spec: RuntimeSpec,
): Promise<void> {
  const text = runtimeJson(spec);
  const options = { mode: 0o644, durable: false };
  await Promise.all([
    writeFileAtomic(join(dirs.dir, "config.json"), text, options),
    writeFileAtomic(join(dirs.runDir, "config.json"), text, options),
  ]);
}

/**
 * Reads config.json from Dir; undefined when there is none. Where that one is damaged, as a power failure leaves files, the runtime's
 * copy in RunDir speaks. Rejects when neither can be read.
 */
export async function readSpec(dirs: {
  readonly dir: string;
  readonly runDir: string;
}): Promise<RuntimeSpec | undefined> {
  const read = async (dir: string) =>
    parseRuntimeSpec(await readBounded(join(dir, "config.json"), maxRuntimeSpecBytes));
  return ifThere(async () => {
    try {
      return await read(dirs.dir);
    } catch (error) {
      if (!isFault(error)) throw error;
      const copy = await ifThere(() => read(dirs.runDir));
      if (copy === undefined) throw error;
      return copy;
    }
  });
}

/**
 * Writes state.json to Dir. The first such write commits a creation: without it, start-up takes what it finds for the
 * remains of one and undoes it.
 */
export async function writeState(container: Container): Promise<void> {
  await writeFileAtomic(join(container.record.dir, "state.json"), stateJson(container), {
    mode: 0o644,
    durable: false,
  });
}

/** Reads state.json from Dir; undefined when there is none. */
export async function readState(dir: string): Promise<StoredState | undefined> {
  return ifThere(async () => parseStateJson(await readBounded(join(dir, "state.json"), maxStateBytes)));
}

/**
 * Marks in the infra Dir: a pod, or its network, has been stopped, as CRI-O marks it; or its stopping has begun, which is ours alone
 * and tells a restart that the pod may have lost its network already.
 */
export type Marker = "stopping" | "stopped" | "network-stopped";

/** Leaves a mark; when the pod's directory is gone, so is what the mark was for. */
export async function writeMarker(dir: string, marker: Marker): Promise<void> {
  await ifThere(() => writeFileAtomic(join(dir, marker), "", { mode: 0o644, durable: false }));
}

/** Whether the mark is there. */
export async function hasMarker(dir: string, marker: Marker): Promise<boolean> {
  return (await ifThere(() => readBounded(join(dir, marker), 1 << 10))) !== undefined;
}

async function ifThere<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
