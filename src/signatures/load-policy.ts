import { join } from "node:path";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import { maxPolicyBytes, parsePolicy, type SignaturePolicy } from "./policy.ts";

export interface PolicyPlaces {
  /** `signature_policy`, or "". */
  readonly configured: string;
  /** `signature_policy_dir` */
  readonly namespacesDir: string;
  /** Where a policy is looked for when none is configured, in this order. */
  readonly usual: readonly string[];
}

/** Reads the policy for images of a namespace's pods, anew each time. Rejects when there is none: then nothing is trusted. */
export async function loadPolicy(places: PolicyPlaces, namespace: string): Promise<SignaturePolicy> {
  const configured = await configuredPolicy(places, namespace);
  if (configured !== undefined) return configured;
  for (const path of places.usual) {
    const policy = await readPolicy(path);
    if (policy !== undefined) return policy;
  }
  throw new Fault(
    "not-found",
    `no policy.json file found, looked for ${places.usual.join(" and ")}: which images may be used is not known`,
  );
}

/** The namespace's own policy, or the one that the configuration names; undefined when the usual ones count. */
export async function configuredPolicy(places: PolicyPlaces, namespace: string): Promise<SignaturePolicy | undefined> {
  if (namespace !== "") {
    const own = await readPolicy(join(places.namespacesDir, `${fileNameOf(namespace)}.json`));
    if (own !== undefined) return own;
  }
  if (places.configured === "") return undefined;
  const policy = await readPolicy(places.configured);
  if (policy !== undefined) return policy;
  throw new Fault(
    "not-found",
    `read policy path ${places.configured}: there is no such file; it is the signature_policy of the configuration`,
  );
}

/** Namespaces are DNS labels; one that is not must not lead to a file elsewhere. */
function fileNameOf(namespace: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(namespace)) return namespace;
  throw new Fault("invalid", `${JSON.stringify(namespace.slice(0, 100))} is not the name of a namespace`);
}

async function readPolicy(path: string): Promise<SignaturePolicy | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readBounded(path, maxPolicyBytes);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw new Fault("failed", `read policy path ${path}: ${reasonOf(error)}`, { cause: error });
  }
  return parsePolicy(bytes, path);
}
