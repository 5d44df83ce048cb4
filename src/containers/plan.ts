import { Fault } from "../base/index.ts";
import { configBytes, findImage, repoDigestsOf, requireTrustedUse } from "../images/index.ts";
import { type ImageConfig, parseImageConfig } from "../oci/index.ts";
import type { RuntimeHandler } from "../runtime/index.ts";
import { filterAnnotations } from "../security/index.ts";
import type { Pod, StringMap } from "../state/index.ts";
import type { ContainerConfig } from "./config.ts";
import type { ContainerDeps } from "./deps.ts";
import { findMountImages, type MountImages } from "./image-mounts.ts";
import { checkLabels } from "./labels.ts";
import { type LogPlace, logPlaceOf } from "./log-path.ts";
import type { ContainerLabels } from "./selinux.ts";
import { allowedAnnotations, workloadOf } from "./workloads.ts";

/** All that is decided of a container before anything is acquired. */
export interface ContainerPlan {
  readonly id: string;
  readonly name: string;
  readonly pod: Pod;
  readonly config: ContainerConfig;
  readonly handler: RuntimeHandler;
  readonly annotations: StringMap;
  /** What the handler and the workload allow of those that give more than there is without. */
  readonly allowedAnnotations: readonly string[];
  readonly image: PlannedImage;
  readonly labels: ContainerLabels;
  /** The images and artifacts that mounts name. */
  readonly mountImages: MountImages;
  readonly createdAtNs: bigint;
  readonly log: LogPlace;
  readonly stopSignal: string;
  /** Another runtime program than the handler's, or "". */
  readonly runtimePath: string;
  readonly dir: string;
  readonly runDir: string;
}

export interface PlannedImage {
  readonly id: string;
  readonly name: string;
  readonly repoDigests: readonly string[];
  readonly config: ImageConfig;
}

/** Decides everything that the request alone decides, and rejects what is wrong with it. Nothing has happened yet. */
export async function planContainer(
  deps: ContainerDeps,
  pod: Pod,
  config: ContainerConfig,
  request: { readonly id: string; readonly name: string; readonly logDirectory: string },
): Promise<ContainerPlan> {
  const { id, name } = request;
  if (pod.stopped) {
    throw new Fault("precondition", `CreateContainer failed as the sandbox was stopped: ${pod.record.id}`);
  }
  if (config.security.privileged && !pod.record.privileged) {
    throw new Fault("denied", "no privileged container allowed in sandbox");
  }
  checkLabels(config.labels);
  const handler = deps.handlers.get(pod.record.runtimeHandler);
  const allowed = allowedAnnotations(handler, workloadOf(deps.options.workloads, pod.record.annotations));
  const { namespace } = pod.record.metadata;
  const image = await plannedImage(deps, config, namespace);
  const mountImages = await findMountImages(
    { images: deps.images, artifactMounts: deps.options.artifactMounts, log: deps.log },
    config.mounts,
    namespace,
  );
  const { os, architecture } = image.config;
  return {
    id,
    name,
    pod,
    config,
    handler,
    annotations: filterAnnotations(config.annotations, allowed),
    allowedAnnotations: allowed,
    image,
    labels: deps.selinux.forContainer(pod, config),
    mountImages,
    createdAtNs: deps.clock.nowNs(),
    log: logPlaceOf(id, {
      directory: request.logDirectory === "" ? pod.record.logDirectory : request.logDirectory,
      logPath: config.logPath,
    }),
    stopSignal: config.stopSignal === "" ? image.config.config.StopSignal : config.stopSignal,
    runtimePath: handler.platformPaths[`${os}/${architecture}`] ?? "",
    dir: deps.store.containerDir(id),
    runDir: deps.store.containerRunDir(id),
  };
}

async function plannedImage(
  deps: ContainerDeps,
  { image: text, userSpecifiedImage }: ContainerConfig,
  namespace: string,
): Promise<PlannedImage> {
  const found = await findImage(deps.images, text);
  if (found === undefined) throw new Fault("not-found", `image "${text}" is not on this node: pull it first`);
  const { image } = found;
  await requireTrustedUse(deps.images, image, { namespace, userSpecified: userSpecifiedImage });
  return {
    id: image.id,
    name: image.names.find((name) => !name.includes("@")) ?? image.names[0] ?? "",
    repoDigests: repoDigestsOf(image),
    config: parseImageConfig(await configBytes(deps.images, image)),
  };
}
