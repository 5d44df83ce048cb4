import { Fault, reasonOf } from "../base/index.ts";
import { type CheckOptions, checkStore, type StoreReport } from "./check.ts";
import { deleteContainer } from "./containers.ts";
import { removeImage } from "./images.ts";
import { LayerTrash } from "./layer-trash.ts";
import { mendLink } from "./overlay/layer-soundness.ts";
import type { StoreParts } from "./store-parts.ts";

export interface RepairOptions extends CheckOptions {
  /** Containers to be removed when they are damaged, or stand on damaged layers. The others stay, with all below them. */
  removesContainer(id: string): boolean;
}

/** What a repair has removed, and what is damaged still. */
export interface RepairReport {
  readonly removed: Readonly<Record<Kind, readonly string[]>>;
  readonly left: readonly { readonly kind: Kind; readonly id: string; readonly why: string }[];
}

type Kind = "layer" | "image" | "container";

/** See `Store.repair`. */
export async function repairStore(
  parts: StoreParts,
  report: StoreReport,
  options: RepairOptions,
): Promise<RepairReport> {
  const { containers, images, layers, strays } = (await mendLinks(parts, report))
    ? await checkStore(parts, options) // what stood on those layers is sound again
    : report;
  const removed = { layer: [] as string[], image: [] as string[], container: [] as string[] };
  const left: RepairReport["left"][number][] = [];
  const attempt = async (kind: Kind, id: string, remove: () => Promise<void>) => {
    try {
      await remove();
      removed[kind].push(id);
      parts.log.info(`removed a damaged ${kind} from the store`, { id });
    } catch (error) {
      left.push({ kind, id, why: reasonOf(error) });
    }
  };
  for (const [id, problems] of containers) {
    if (options.removesContainer(id)) await attempt("container", id, () => deleteContainer(parts, id));
    else left.push({ kind: "container", id, why: problems.join("; ") });
  }
  for (const id of images.keys()) await attempt("image", id, async () => void (await removeImage(parts, id)));
  for (const id of await topmostFirst(parts, [...layers.keys()]))
    await attempt("layer", id, () => removeLayer(parts, id));
  await removeStrays(parts, strays);
  return { removed, left };
}

async function mendLinks({ layers, paths, log }: StoreParts, report: StoreReport): Promise<boolean> {
  let isMended = false;
  await layers.read(async (view) => {
    for (const id of report.layers.keys()) {
      if (view.get(id) === undefined || !(await mendLink(paths.driverHome, id))) continue;
      log.info("put the link of a layer back", { layer: id });
      isMended = true;
    }
  });
  return isMended;
}

/** These layers with all that stand on them, in an order in which they can be removed. */
async function topmostFirst({ layers }: StoreParts, ids: readonly string[]): Promise<readonly string[]> {
  return layers.read(({ all }) => {
    const children = Map.groupBy(all, ({ parent }) => parent);
    const ordered = new Set<string>();
    const pending = ids.map((id) => ({ id, entered: false }));
    const seen = new Set<string>();
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (next.entered) ordered.add(next.id);
      if (next.entered || seen.has(next.id)) continue;
      seen.add(next.id);
      pending.push({ id: next.id, entered: true });
      for (const { id } of children.get(next.id) ?? []) pending.push({ id, entered: false });
    }
    return [...ordered];
  });
}

async function removeLayer(parts: StoreParts, id: string): Promise<void> {
  const trash = new LayerTrash(parts);
  try {
    await parts.layers.write((layers) =>
      parts.images.read((images) =>
        parts.containers.read(async (containers) => {
          const image = images.all.find(({ layer, mappedLayers }) => layer === id || mappedLayers.includes(id));
          if (image !== undefined)
            throw new Fault("precondition", `layer ${id} stays: image ${image.id} is made of it`);
          const container = containers.all.find(({ layerId }) => layerId === id);
          if (container !== undefined)
            throw new Fault("precondition", `layer ${id} stays: container ${container.id} writes to it`);
          if ([layers, images, containers].some(({ notUnderstood }) => notUnderstood.has(id)))
            throw new Fault("precondition", `layer ${id} stays: a record that cannot be understood names it`);
          await trash.discard(layers, id);
        }),
      ),
    );
  } finally {
    await trash.empty();
  }
}

async function removeStrays(parts: StoreParts, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const trash = new LayerTrash(parts);
  try {
    await parts.layers.write(async (layers) => {
      for (const id of ids) {
        if (layers.get(id) !== undefined || layers.notUnderstood.has(id)) continue;
        await trash.discardFiles(id);
        parts.log.info("removed a layer that no record knew", { layer: id });
      }
    });
  } finally {
    await trash.empty();
  }
}
