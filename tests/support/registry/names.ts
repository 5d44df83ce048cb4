/** Registry names that lead to this machine in a node: real ones, and one of our own for each way to be reached. */
export const registryNames: readonly string[] = [
  "docker.io",
  "registry-1.docker.io",
  "index.docker.io",
  "auth.docker.io",
  "registry.k8s.io",
  "k8s.gcr.io",
  "quay.io",
  "gcr.io",
  "ghcr.io",
  "mirror.test",
  "plain.test",
];

/** Where the plain HTTP registry listens in a node; also reached as `plain.test:5000`. */
export const plainRegistry = "127.0.0.1:5000";

/** The repository path that a registry serves an image under: `docker.io/library/busybox:1` → `library/busybox`, `1`. */
export function servedAs(name: string): { readonly repository: string; readonly tag: string } {
  const withoutHost = name.slice(name.indexOf("/") + 1);
  const colon = withoutHost.lastIndexOf(":");
  return { repository: withoutHost.slice(0, colon), tag: withoutHost.slice(colon + 1) };
}
