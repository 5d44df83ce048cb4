import type { CriDeps } from "../deps.ts";
import type { ImageServiceDefinition } from "../generated/api.ts";
import type { Handlers } from "../service.ts";
import { imageFsInfoRpc } from "./image-fs-info.ts";
import { imageStatusRpc } from "./image-status.ts";
import { listImagesRpc } from "./list-images.ts";
import { pullImageRpc } from "./pull-image.ts";
import { removeImageRpc } from "./remove-image.ts";
import { streamImages } from "./stream-images.ts";

/** The calls of ImageService that are answered; the others say UNIMPLEMENTED. */
export function imageHandlers(deps: CriDeps): Handlers<typeof ImageServiceDefinition> {
  return {
    pullImage: pullImageRpc(deps),
    listImages: listImagesRpc(deps),
    streamImages: streamImages(deps),
    imageStatus: imageStatusRpc(deps),
    removeImage: removeImageRpc(deps),
    imageFsInfo: imageFsInfoRpc(deps),
  };
}
