import { imageFsInfo } from "../../images/index.ts";
import type { CriDeps } from "../deps.ts";
import { type ImageFsInfoRequest, ImageFsInfoResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** ImageFsInfo (reference: cri.md 9.5). */
export function imageFsInfoRpc({ images, pods }: CriDeps): Unary<ImageFsInfoRequest, ImageFsInfoResponse> {
  return async () => {
    const { mountpoint, usedBytes, inodesUsed } = await imageFsInfo(images);
    const usage = {
      timestamp: pods.clock.nowNs(),
      fsId: { mountpoint },
      usedBytes: { value: usedBytes },
      inodesUsed: { value: inodesUsed },
    };
    return ImageFsInfoResponse.fromPartial({ imageFilesystems: [usage], containerFilesystems: [usage] });
  };
}
