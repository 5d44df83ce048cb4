export { attachmentOf, bandwidthFromAnnotations, type PodNetworkIdentity } from "./attachment.ts";
export { addressesInResult, type PodNetwork } from "./cached-network.ts";
export {
  createHostPorts,
  type HostPortMapping,
  type HostPorts,
  type HostPortsCall,
  type HostPortsDeps,
  noHostPorts,
  type PodHostPorts,
  type Protocol,
} from "./hostports/index.ts";
export {
  type AttachOptions,
  createPodNetworks,
  type PodNetworks,
  type PodNetworksOptions,
} from "./pod-networks.ts";
export type { NetworkStatus } from "./readiness.ts";
export type { NetworkInterface } from "./result.ts";
export type { Runner } from "./runner.ts";
