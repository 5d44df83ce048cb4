import { withStep } from "../base/index.ts";
import { findArtifact } from "./artifacts.ts";
import type { ImageDeps } from "./deps.ts";
import { findImage } from "./find.ts";

/**
 * Removes an image: by id with all its names, by name that name alone, the image going with its last one. An unknown image is
 * removed already. Rejects while a container uses it, be it as a volume. An artifact of that name goes too, from our own store.
 */
export async function removeImage(deps: ImageDeps, text: string): Promise<void> {
  await removeStoredImage(deps, text);
  const artifact = await findArtifact(deps, text);
  if (artifact === undefined) return;
  // One of that name in an additional store stays, and hides ours.
  await deps.artifacts.remove(artifact.refName, artifact.digest);
}

async function removeStoredImage(deps: ImageDeps, text: string): Promise<void> {
  const found = await findImage(deps, text);
  if (found === undefined) return;
  const { image, by, name } = found;
  const left = by === "name" ? image.names.filter((other) => other !== name) : [];
  if (left.length > 0) {
    await deps.store.setImageNames(image.id, left);
    return;
  }
  await deps.users.whileUnused(image.id, async () => {
    try {
      await deps.layers.sparing((isWanted) => deps.store.removeImage(image.id, { isWanted }));
    } catch (error) {
      throw withStep("delete image", error);
    }
  });
}
