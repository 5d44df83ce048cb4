/** The four types of manifest that are read, in the order a registry is asked for them. */
export const manifestMediaTypes = {
  ociImage: "application/vnd.oci.image.manifest.v1+json",
  dockerImage: "application/vnd.docker.distribution.manifest.v2+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
} as const;

export type ManifestMediaType = (typeof manifestMediaTypes)[keyof typeof manifestMediaTypes];

/** The config types of container images, as opposed to those of artifacts. */
export const imageConfigMediaTypes: readonly string[] = [
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
];

export function isManifestMediaType(text: string): text is ManifestMediaType {
  return Object.values<string>(manifestMediaTypes).includes(text);
}

export function isIndexMediaType(text: string): boolean {
  return text === manifestMediaTypes.ociIndex || text === manifestMediaTypes.dockerList;
}

/** Docker's schema 1, with and without its signatures: no longer served by most registries, never read here. */
export function isSchema1MediaType(text: string): boolean {
  return /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/.test(text);
}
