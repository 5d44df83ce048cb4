import { createCertificates, trustAuthority } from "./certificates.ts";
import { plainRegistry, registryNames } from "./names.ts";
import { type Registry, startRegistry } from "./server.ts";

/** A node's registry, and the environment that lets programs of the node find and trust it. */
export type NodeRegistry = Registry & { readonly env: Readonly<Record<string, string>> };

/**
 * Starts the registry of a node or guest: HTTPS on 127.0.0.1:443 under the real names (that /etc/hosts sends here), and
 * plain HTTP on 127.0.0.1:5000. To be called inside the node: it adds to the trust store in /etc.
 */
export async function startNodeRegistry(folder: string): Promise<NodeRegistry> {
  const certificates = await createCertificates("/run/registry-certificates", registryNames);
  const trust = await trustAuthority(certificates);
  const [host = "", port = ""] = plainRegistry.split(":");
  const registry = await startRegistry({
    folder,
    listeners: [
      { host: "127.0.0.1", port: 443, tls: certificates },
      { host, port: Number(port) },
    ],
  });
  return {
    ...registry,
    env: { ...trust, CRIO_TS_REGISTRY: plainRegistry, CRIO_TS_REGISTRY_CA: certificates.authorityFile },
  };
}
