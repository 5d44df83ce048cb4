import { Fault } from "../base/index.ts";

/** Versions of the CNI specification that are spoken here, oldest first. */
export const cniVersions = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type CniVersion = (typeof cniVersions)[number];

export const currentCniVersion: CniVersion = "1.1.0";

export function isCniVersion(text: string): text is CniVersion {
  return cniVersions.some((version) => version === text);
}

/** A version as a document states it; none stated means 0.1.0. Throws Fault("invalid") for one that is not spoken here. */
export function parseCniVersion(text: string, what: string): CniVersion {
  if (text === "") return "0.1.0";
  if (isCniVersion(text)) return text;
  throw new Fault("invalid", `${what}: CNI version ${JSON.stringify(text)} is none of ${cniVersions.join(", ")}`);
}

/** Whether `version` is `least` or newer. */
export function isAtLeast(version: CniVersion, least: CniVersion): boolean {
  return cniVersions.indexOf(version) >= cniVersions.indexOf(least);
}

/** Known versions among `texts`, newest first, each once. */
export function newestFirst(texts: readonly string[]): readonly CniVersion[] {
  return cniVersions.filter((version) => texts.includes(version)).reverse();
}
