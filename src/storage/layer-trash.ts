import { join } from "node:path";
import { Fault, reasonOf } from "../base/index.ts";
import { tarSplitPath } from "./paths.ts";
import type { StoredLayer } from "./records/layer-record.ts";
import { markIncomplete } from "./records/layer-record.ts";
import type { RecordDraft } from "./records/record-table.ts";
import { newLayerRecordTempDir, newLayerTempDir, type StoreParts } from "./store-parts.ts";
import type { TempDir } from "./temp-dir.ts";

type TrashDeps = Pick<StoreParts, "paths" | "driver" | "workers" | "mounts" | "log">;

/**
 * Layers on their way out. Under the lock of the layers they are moved aside, which is quick; `empty` then removes them,
 * which is not, after the lock is released. A crash in between leaves temporary directories that the next start removes.
 */
export class LayerTrash {
  readonly #deps: TrashDeps;
  #directories: TempDir | undefined;
  #records: TempDir | undefined;

  constructor(deps: TrashDeps) {
    this.#deps = deps;
  }

  /**
   * Unmounts a layer, moves all that belongs to it out of the store, and takes it from the records, which are saved.
   * Marked incomplete before anything happens to it, so that whoever finds it after a crash goes on. Idempotent.
   */
  async discard(draft: RecordDraft<StoredLayer>, id: string): Promise<void> {
    const layer = draft.get(id);
    if (layer === undefined) return;
    if (draft.all.some(({ parent }) => parent === id)) {
      throw new Fault("precondition", `layer ${id} cannot be removed: other layers are on top of it`);
    }
    if (!layer.incomplete) {
      draft.put(markIncomplete(draft.record(id)));
      await draft.save();
    }
    await this.discardFiles(id);
    draft.remove(id);
    await draft.save();
  }

  /** The same for what is on disk, without the record. */
  async discardFiles(id: string): Promise<void> {
    const { paths, driver } = this.#deps;
    await this.#forgetMount(id);
    this.#directories ??= await newLayerTempDir(this.#deps);
    await driver.discard(id, this.#directories);
    this.#records ??= await newLayerRecordTempDir(this.#deps);
    await this.#records.take(tarSplitPath(paths, id));
    await this.#records.take(join(paths.layersDir, id));
  }

  /** Removes what was discarded. Failing is no failure of the operation: the store no longer has it, and the next start tries again. */
  async empty(): Promise<void> {
    for (const directory of [this.#directories, this.#records]) {
      try {
        await directory?.remove();
      } catch (error) {
        this.#deps.log.warn("what was removed from the store still takes space", {
          directory: directory?.path,
          why: reasonOf(error),
        });
      }
    }
    this.#directories = undefined;
    this.#records = undefined;
  }

  async #forgetMount(id: string): Promise<void> {
    const { mounts, driver } = this.#deps;
    await mounts.write(async (draft) => {
      const mount = draft.get(id);
      if (mount === undefined && !(await driver.isMounted(id))) return;
      await driver.unmount(id);
      if (mount === undefined) return;
      draft.set({ id, path: mount.path, count: 0 });
      await draft.save();
    });
  }
}
