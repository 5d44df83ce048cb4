import { pullImage } from "../../images/index.ts";
import { credentialFromRequest } from "../../registry/index.ts";
import type { CriDeps } from "../deps.ts";
import type { PullImageRequest, PullImageResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** PullImage: answers the image's id (reference: cri.md 9.1). */
export function pullImageRpc({ images }: CriDeps): Unary<PullImageRequest, PullImageResponse> {
  return async ({ image, auth, sandboxConfig }, call) => {
    const name = image?.image ?? "";
    call.log.info(`Pulling image: ${name}`);
    const credential = auth === undefined ? undefined : credentialFromRequest(auth);
    const imageRef = await pullImage(images, {
      image: name,
      namespace: sandboxConfig?.metadata?.namespace ?? "",
      signal: call.signal,
      ...(credential === undefined ? {} : { auth: credential }),
    });
    call.log.info(`Pulled image: ${imageRef}`);
    return { imageRef };
  };
}
