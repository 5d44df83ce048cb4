export type { AuthMode, AuthRule } from "./auth.ts";
export { createCertificates } from "./certificates.ts";
export { registryControl } from "./control.ts";
export { type DockerRegistry, type DockerRegistryOptions, startDockerRegistry } from "./docker-registry.ts";
export type { Fault, FaultRule } from "./faults.ts";
export { plainRegistry, registryNames } from "./names.ts";
export { type NodeRegistry, startNodeRegistry } from "./node-registry.ts";
export { type Listener, type Registry, type RegistryOptions, type SeenRequest, startRegistry } from "./server.ts";
export { RegistryStore } from "./store.ts";
