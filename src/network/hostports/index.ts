export {
  createHostPorts,
  type HostPorts,
  type HostPortsCall,
  type HostPortsDeps,
  noHostPorts,
  type PodHostPorts,
} from "./host-ports.ts";
export type { HostPortMapping, Protocol } from "./mapping.ts";
