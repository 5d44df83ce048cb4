import { Fault, reasonOf } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import { findArtifact, type ImageDeps, manifestAnnotations, pullImage } from "../images/index.ts";
import { digestAlgorithm, digestOf, featureAnnotation, featureValue } from "../oci/index.ts";
import {
  filterAnnotations,
  maxSeccompProfileBytes,
  parseSeccompProfile,
  type SeccompProfile,
} from "../security/index.ts";
import type { StringMap } from "../state/index.ts";

const pullTimeoutMs = 120_000;

export interface ArtifactProfileWish {
  readonly containerName: string;
  readonly imageId: string;
  readonly namespace: string;
  /** Filtered already. */
  readonly podAnnotations: StringMap;
  /** What the handler and the workload allow. */
  readonly allowed: Iterable<string>;
}

/**
 * The seccomp profile that an annotation of the pod, or else of the image, names as an OCI artifact: its first layer (reference:
 * annotations-and-features.md 5). It is pulled each time, for what a tag names may change. Undefined when none is named; rejects when the one that
 * is named cannot be had, so that nothing runs without.
 */
export async function seccompArtifact(
  images: ImageDeps,
  wish: ArtifactProfileWish,
): Promise<SeccompProfile | undefined> {
  const image = namedByPod(wish) ?? (await namedByImage(images, wish));
  if (image === undefined || image === "") return undefined;
  try {
    const signal = AbortSignal.timeout(pullTimeoutMs);
    const id = await pullImage(images, { image, namespace: wish.namespace, only: "artifact", signal });
    const artifact = await findArtifact(images, id);
    const [layer] = artifact?.manifest.layers ?? [];
    if (artifact === undefined || layer === undefined)
      throw new Fault("invalid", `the OCI artifact ${image} has no layers`);
    const bytes = await readBounded(artifact.pathOf(layer), maxSeccompProfileBytes);
    if (digestOf(bytes, digestAlgorithm(layer.digest)) !== layer.digest) {
      throw new Fault(
        "corrupt",
        `blob ${layer.digest} in the artifact store has other content: remove ${image}, and pull it again`,
      );
    }
    return parseSeccompProfile(bytes);
  } catch (error) {
    const message = `setup seccomp: try to pull OCI artifact seccomp profile: ${reasonOf(error)}`;
    throw new Fault(error instanceof Fault ? error.code : "failed", message, { cause: error });
  }
}

function namedByPod({ podAnnotations, containerName }: ArtifactProfileWish): string | undefined {
  const { seccompProfile } = featureAnnotation;
  return (
    featureValue(podAnnotations, seccompProfile, containerName) ?? featureValue(podAnnotations, seccompProfile, "POD")
  );
}

async function namedByImage(images: ImageDeps, wish: ArtifactProfileWish): Promise<string | undefined> {
  const image = await images.store.image(wish.imageId);
  if (image === undefined) return undefined;
  const annotations = filterAnnotations(await manifestAnnotations(images, image), wish.allowed);
  const { seccompProfile } = featureAnnotation;
  return (
    featureValue(annotations, seccompProfile) ??
    featureValue(annotations, seccompProfile, wish.containerName) ??
    featureValue(annotations, seccompProfile, "POD")
  );
}
