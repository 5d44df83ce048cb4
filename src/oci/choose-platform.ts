import type { Descriptor } from "./descriptor.ts";
import { isManifestMediaType } from "./media-types.ts";
import { acceptedVariants, type Platform } from "./platform.ts";

/**
 * The entry of an index to pull for `wanted`: the best variant, then the first in order; undefined when none runs there.
 * Attestations (platform `unknown/unknown`) and entries that are no manifests never match. If nothing matches, the first
 * manifest that names no platform is taken, as other engines do.
 */
export function choosePlatform(entries: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const manifests = entries.filter((entry) => isManifestMediaType(entry.mediaType));
  for (const variant of acceptedVariants(wanted)) {
    const match = manifests.find(({ platform }) => platform !== undefined && runsOn(platform, wanted, variant));
    if (match !== undefined) return match;
  }
  return manifests.find((entry) => entry.platform === undefined && entry.artifactType === undefined);
}

function runsOn(platform: Platform, wanted: Platform, variant: string): boolean {
  return (
    platform.os === wanted.os && platform.architecture === wanted.architecture && (platform.variant ?? "") === variant
  );
}
