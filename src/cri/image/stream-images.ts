import { listImages } from "../../images/index.ts";
import { chunksOf } from "../chunks.ts";
import type { CriDeps } from "../deps.ts";
import type { StreamImagesRequest, StreamImagesResponse } from "../generated/api.ts";
import type { Streaming } from "../service.ts";
import { imageOf } from "./list-images.ts";

/** StreamImages: what ListImages tells, a part at a time (reference: cri.md 9.2). */
export function streamImages({ images }: CriDeps): Streaming<StreamImagesRequest, StreamImagesResponse> {
  return async function* ({ filter }) {
    for (const chunk of chunksOf(await listImages(images, filter?.image?.image ?? ""))) {
      yield { images: chunk.map((view) => imageOf(view)) };
    }
  };
}
