import { Fault, withStep } from "../base/index.ts";
import { type JsonObject, jsonInteger } from "./json.ts";
import { checkArgument, checkNetnsPath, isCniName } from "./names.ts";
import { integerFromQuantity } from "./quantity.ts";

/** A pod as far as its network is concerned. */
export interface PodNetworkIdentity {
  /** The sandbox's id, which is CNI's container id. */
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  /** Path of the network namespace file; undefined when it is gone, which only DEL accepts. */
  readonly netns: string | undefined;
  readonly cgroupParent?: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** One pod's interface on one network: what every plugin of the chain is told besides the configuration. */
export interface Attachment {
  readonly containerId: string;
  readonly netns: string | undefined;
  readonly ifName: string;
  /** CNI_ARGS, in order. */
  readonly args: readonly (readonly [string, string])[];
  /** Capability arguments by name; a plugin gets those that it declares. */
  readonly capabilityArgs: JsonObject;
}

/** The interface of the default network in every pod. */
export const podInterface = "eth0";

/** As the kubelet's own limit of a pod's annotations is 256 KiB, more than this is not honest. */
const maxAnnotationBytes = 2 * 1024 * 1024;

/** The burst that goes with a rate: 2^35 - 8 - 1 bits, the largest that the bandwidth plugin takes (4 GiB). */
const burst = 34359738359;

/**
 * What the plugins are told of a pod (CNI_ARGS and capability arguments as the kubelet's runtimes pass them).
 * Throws Fault("invalid") for an identity that could not be told apart from other arguments, and for unreadable bandwidths.
 */
export function attachmentOf(pod: PodNetworkIdentity): Attachment {
  if (!isCniName(pod.id)) throw new Fault("invalid", `${JSON.stringify(pod.id.slice(0, 80))} is no id of a pod`);
  if (pod.netns !== undefined) checkNetnsPath(pod.netns);
  const args = [
    ["IgnoreUnknown", "1"],
    ["K8S_POD_NAMESPACE", pod.namespace],
    ["K8S_POD_NAME", pod.name],
    ["K8S_POD_INFRA_CONTAINER_ID", pod.id],
    ["K8S_POD_UID", pod.uid],
  ] as const;
  for (const [key, value] of args) checkArgument(key, value);
  return {
    containerId: pod.id,
    netns: pod.netns,
    ifName: podInterface,
    args,
    capabilityArgs: capabilityArgsOf(pod),
  };
}

function capabilityArgsOf(pod: PodNetworkIdentity): JsonObject {
  const bandwidth = bandwidthFromAnnotations(pod.annotations);
  const size = Object.entries(pod.annotations).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (size > maxAnnotationBytes) {
    throw new Fault("exhausted", `the pod's annotations have ${size} characters, more than ${maxAnnotationBytes}`);
  }
  return {
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(pod.cgroupParent === undefined || pod.cgroupParent === "" ? {} : { cgroupPath: pod.cgroupParent }),
    "io.kubernetes.cri.pod-annotations": { ...pod.annotations },
  };
}

/** The `bandwidth` capability argument, in bits per second; undefined when the pod limits neither direction. */
export function bandwidthFromAnnotations(annotations: Readonly<Record<string, string>>): JsonObject | undefined {
  const ingress = rateOf(annotations, "ingress");
  const egress = rateOf(annotations, "egress");
  if (ingress === 0n && egress === 0n) return undefined;
  return {
    ingressRate: jsonInteger(ingress),
    ingressBurst: ingress > 0n ? burst : 0,
    egressRate: jsonInteger(egress),
    egressBurst: egress > 0n ? burst : 0,
  };
}

function rateOf(annotations: Readonly<Record<string, string>>, direction: "ingress" | "egress"): bigint {
  const key = `kubernetes.io/${direction}-bandwidth`;
  if (!Object.hasOwn(annotations, key)) return 0n;
  try {
    const rate = integerFromQuantity(annotations[key] ?? "") ?? 0n;
    return rate > 0n ? rate : 0n;
  } catch (error) {
    throw withStep(`failed to parse ${direction} bandwidth`, error);
  }
}
