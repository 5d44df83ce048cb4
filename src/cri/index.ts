export type { CriDeps } from "./deps.ts";
export { imageHandlers } from "./image/index.ts";
export { runtimeHandlers } from "./runtime/index.ts";
export { CriServer, type CriServerOptions, isServed } from "./server.ts";
export type { CallReport } from "./service.ts";
