import { imageConfigJson, parseImageConfig } from "../oci/index.ts";
import { artifactView, findArtifact } from "./artifacts.ts";
import type { ImageDeps } from "./deps.ts";
import { findImage } from "./find.ts";
import { type ImageView, manifestAnnotations, viewOf } from "./view.ts";

export interface ImageStatusView {
  readonly image: ImageView;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What CRI's ImageStatus tells of a local image, or else artifact; undefined when it is not here. */
export async function imageStatus(deps: ImageDeps, text: string): Promise<ImageStatusView | undefined> {
  const found = await findImage(deps, text);
  if (found === undefined) {
    const artifact = await findArtifact(deps, text);
    return artifact && { image: artifactView(deps, artifact), annotations: artifact.manifest.annotations };
  }
  const { image } = found;
  return { image: await viewOf(deps, image), annotations: await manifestAnnotations(deps, image) };
}

/** The verbose part of ImageStatus: labels and the OCI config, as CRI-O words it. An artifact has neither. */
export async function imageInfo(deps: ImageDeps, id: string): Promise<object> {
  if ((await deps.store.image(id)) === undefined) return {};
  const config = parseImageConfig(await deps.store.imageConfig(id));
  const { Labels } = config.config;
  return {
    ...(Object.keys(Labels).length === 0 ? {} : { labels: Labels }),
    imageSpec: imageConfigJson(config),
  };
}

/** A name that an image has now, a tag before a digest; "" when it has none or is gone. */
export async function currentImageName(deps: Pick<ImageDeps, "store">, id: string): Promise<string> {
  const names = (await deps.store.image(id))?.names ?? [];
  return names.find((name) => !name.includes("@")) ?? names[0] ?? "";
}
