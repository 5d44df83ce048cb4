import { imageInfo, imageStatus } from "../../images/index.ts";
import { jsonText } from "../convert/json-text.ts";
import type { CriDeps } from "../deps.ts";
import { type ImageStatusRequest, ImageStatusResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";
import { imageOf } from "./list-images.ts";

/** ImageStatus: an empty answer when the image is not here (reference: cri.md 9.3). */
export function imageStatusRpc({ images }: CriDeps): Unary<ImageStatusRequest, ImageStatusResponse> {
  return async ({ image, verbose }, call) => {
    const name = image?.image ?? "";
    call.log.debug(`Checking image status: ${name}`);
    const found = await imageStatus(images, name);
    if (found === undefined) return ImageStatusResponse.fromPartial({});
    const info: Record<string, string> = verbose ? { info: jsonText(await imageInfo(images, found.image.id)) } : {};
    return { image: imageOf(found.image, found.annotations), info };
  };
}
