export type { CriDeps } from "./deps.ts";
export { imageHandlers } from "./image/index.ts";
export { runtimeHandlers } from "./runtime/index.ts";
export { statusOverSocket } from "./self-check.ts";
export { CriServer, type CriServerOptions } from "./server.ts";
export type { CallReport } from "./service.ts";
