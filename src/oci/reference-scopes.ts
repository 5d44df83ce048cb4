import { type ImageReference, referenceText, repositoryText } from "./reference.ts";

/**
 * The names under which containers/* files may speak of an image, the most specific first: the image itself, its repository, what is above it,
 * the host, and the host's domains with a wildcard (scopes of containers-policy.json(5), namespaces of containers-registries.d(5)).
 */
export function scopesOf(reference: ImageReference): readonly string[] {
  const parts = repositoryText(reference).split("/");
  const above = parts.map((_, index) => parts.slice(0, parts.length - index).join("/"));
  const labels = (parts[0] ?? "").split(":", 1)[0]?.split(".") ?? [];
  const wildcards = labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join(".")}`);
  return [referenceText(reference), ...above, ...wildcards];
}
