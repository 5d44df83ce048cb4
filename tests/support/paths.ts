import { fileURLToPath } from "node:url";

/** The project's own folder. */
export const projectRoot: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** The Node that runs this and, by the same path, everything in nodes and guests. */
export const nodeBinary: string = process.execPath;

/** The daemon as the build leaves it. */
export const crioBinary: string = `${projectRoot}/bin/crio`;
