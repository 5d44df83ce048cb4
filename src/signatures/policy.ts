import { Fault, withStep } from "../base/index.ts";
import {
  type ImageReference,
  type JsonObject,
  jsonField,
  jsonList,
  jsonObject,
  parseStrictJsonObject,
  refuseUnknownFields,
  scopesOf,
} from "../oci/index.ts";
import { parseRequirement, type Requirement } from "./requirement.ts";

/** A policy.json: what images must meet to be used (containers-policy.json(5)). */
export interface SignaturePolicy {
  /** The file, for errors. */
  readonly path: string;
  readonly otherwise: readonly Requirement[];
  /** Of the transport `docker`, by scope. */
  readonly scopes: ReadonlyMap<string, readonly Requirement[]>;
}

export const maxPolicyBytes = 16 * 1024 * 1024;
const maxRequirements = 1000;

/** Reads a policy. Throws Fault("invalid") that names the file and the field. */
export function parsePolicy(bytes: Uint8Array, path: string): SignaturePolicy {
  try {
    const body = parseStrictJsonObject(bytes, "the policy", maxPolicyBytes);
    refuseUnknownFields(body, ["default", "transports"], "the policy");
    if (jsonField(body, "default") === undefined) throw new Fault("invalid", "the policy has no default");
    const transports = jsonObject(jsonField(body, "transports") ?? {}, "transports");
    const docker = jsonObject(jsonField(transports, "docker") ?? {}, "transports: docker");
    return {
      path,
      otherwise: requirements(body, "default", "the policy"),
      scopes: new Map(Object.keys(docker).map((scope) => [scope, requirements(docker, scope, "transports: docker")])),
    };
  } catch (error) {
    throw withStep(`reading the signature policy ${path}`, error);
  }
}

/** What an image must meet: all of it. */
export function requirementsFor(policy: SignaturePolicy, reference: ImageReference): readonly Requirement[] {
  for (const scope of [...scopesOf(reference), ""]) {
    const found = policy.scopes.get(scope);
    if (found !== undefined) return found;
  }
  return policy.otherwise;
}

function requirements(object: JsonObject, key: string, what: string): readonly Requirement[] {
  const list = jsonList(object, key, what, maxRequirements);
  const where = `${what}: ${key === "" ? '""' : key}`;
  if (list.length === 0)
    throw new Fault("invalid", `${where} has no requirements; to accept everything say insecureAcceptAnything`);
  return list.map((entry, at) => parseRequirement(jsonObject(entry, `${where}[${at}]`), `${where}[${at}]`));
}
