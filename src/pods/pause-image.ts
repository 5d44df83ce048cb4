import { Fault, withStep } from "../base/index.ts";
import { configBytes, findImage, pullImage } from "../images/index.ts";
import { parseImageConfig } from "../oci/index.ts";
import { infraArgs } from "../spec/index.ts";
import type { PodDeps } from "./deps.ts";

/** The image of an infra container, and what it runs. */
export interface PauseImage {
  readonly id: string;
  readonly name: string;
  readonly args: readonly string[];
}

/** The pause image, pulled when it is not here yet. */
export async function pauseImage(deps: Pick<PodDeps, "images" | "podOptions">): Promise<PauseImage> {
  const name = deps.podOptions.pauseImage();
  try {
    const found = (await findImage(deps.images, name)) ?? (await pulled(deps, name));
    const { config } = parseImageConfig(await configBytes(deps.images, found.image));
    const args = infraArgs(deps.podOptions.pauseCommand(), { image: config, name });
    return { id: found.image.id, name: found.image.names[0] ?? "", args };
  } catch (error) {
    throw withStep(`pause image ${name}`, error);
  }
}

async function pulled(deps: Pick<PodDeps, "images" | "podOptions">, name: string) {
  const authFile = deps.podOptions.pauseImageAuthFile();
  await pullImage(deps.images, { image: name, namespace: "", ...(authFile === "" ? {} : { authFile }) });
  const found = await findImage(deps.images, name);
  if (found === undefined) throw new Fault("failed", "it was pulled, but the store does not have it");
  return found;
}
