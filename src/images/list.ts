import type { StoredImage } from "../storage/index.ts";
import { artifactView, findArtifact } from "./artifacts.ts";
import type { ImageDeps } from "./deps.ts";
import { findImage } from "./find.ts";
import { type ImageView, viewOf } from "./view.ts";

/** The local images and artifacts; with a filter, those that it means, if they are here. */
export async function listImages(deps: ImageDeps, filter: string): Promise<readonly ImageView[]> {
  const images = filter === "" ? await deps.store.images() : await only(deps, filter);
  const artifact = filter === "" ? undefined : await findArtifact(deps, filter);
  const artifacts = filter === "" ? await deps.artifacts.list() : artifact === undefined ? [] : [artifact];
  const views = await Promise.all(images.map((image) => viewOf(deps, image)));
  return [...views, ...artifacts.map((each) => artifactView(deps, each))];
}

async function only(deps: ImageDeps, filter: string): Promise<readonly StoredImage[]> {
  const found = await findImage(deps, filter);
  return found === undefined ? [] : [found.image];
}
