import type { StoredImage } from "../storage/index.ts";
import type { ImageDeps } from "./deps.ts";
import { findImage } from "./find.ts";
import { type ImageView, viewOf } from "./view.ts";

/** The local images; with a filter, the one that it means, if it is here. */
export async function listImages(deps: ImageDeps, filter: string): Promise<readonly ImageView[]> {
  const images = filter === "" ? await deps.store.images() : await only(deps, filter);
  return await Promise.all(images.map((image) => viewOf(deps, image)));
}

async function only(deps: ImageDeps, filter: string): Promise<readonly StoredImage[]> {
  const found = await findImage(deps, filter);
  return found === undefined ? [] : [found.image];
}
