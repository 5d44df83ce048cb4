import { removeImage } from "../../images/index.ts";
import type { CriDeps } from "../deps.ts";
import type { RemoveImageRequest, RemoveImageResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** RemoveImage: idempotent (reference: cri.md 9.4). */
export function removeImageRpc({ images }: CriDeps): Unary<RemoveImageRequest, RemoveImageResponse> {
  return async ({ image }, call) => {
    const name = image?.image ?? "";
    call.log.info(`Removing image: ${name}`);
    await removeImage(images, name);
    return {};
  };
}
