import { type ImageView, listImages } from "../../images/index.ts";
import type { CriDeps } from "../deps.ts";
import { Image, type ListImagesRequest, type ListImagesResponse } from "../generated/api.ts";
import type { Unary } from "../service.ts";

/** ListImages (reference: cri.md 9.2). */
export function listImagesRpc({ images }: CriDeps): Unary<ListImagesRequest, ListImagesResponse> {
  return async ({ filter }) => ({
    images: (await listImages(images, filter?.image?.image ?? "")).map((view) => imageOf(view)),
  });
}

/** CRI's Image; `annotations` are those of the manifest, where the call tells them. */
export function imageOf(view: ImageView, annotations: Readonly<Record<string, string>> = {}): Image {
  return Image.fromPartial({
    id: view.id,
    repoTags: [...view.repoTags],
    repoDigests: [...view.repoDigests],
    size: view.sizeBytes,
    username: view.user.is === "name" ? view.user.name : "",
    pinned: view.pinned,
    spec: { annotations },
    ...(view.user.is === "uid" ? { uid: { value: view.user.uid } } : {}),
  });
}
