import { Fault, withStep } from "../base/index.ts";
import { type ImageReference, parseReference, referenceText, repositoryText } from "../oci/index.ts";
import type { MirrorRule, RegistriesConfig, RegistryRule } from "./registries-conf.ts";

/** One place to ask for an image. */
export interface Endpoint {
  /** The image's name there: the prefix replaced by the location. Its domain is the key for certs.d and credentials. */
  readonly reference: ImageReference;
  /** Host and port of the API; differs from the domain for docker.io alone. */
  readonly host: string;
  /** HTTPS without verification is acceptable, and so is HTTP. */
  readonly insecure: boolean;
  readonly isMirror: boolean;
}

/**
 * Where to ask for `reference`, in order: the mirrors that take it, then the registry itself. Throws Fault("denied") when
 * registries.conf blocks it.
 */
export function endpointsFor(config: RegistriesConfig, reference: ImageReference): readonly Endpoint[] {
  const rule = ruleFor(config, reference);
  if (rule === undefined) return [endpoint(reference, false, false)];
  if (rule.blocked) {
    throw new Fault("denied", `${referenceText(reference)}: registry ${rule.prefix} is blocked in ${rule.file}`);
  }
  const mirrors = rule.mirrors.filter((mirror) => takes(mirror, reference));
  return [
    ...mirrors.map((mirror) => endpoint(moved(reference, rule, mirror.location), mirror.insecure, true)),
    endpoint(moved(reference, rule, rule.location), rule.insecure, false),
  ];
}

/** The rule with the longest prefix that `reference` begins with. */
export function ruleFor(config: RegistriesConfig, reference: ImageReference): RegistryRule | undefined {
  const name = repositoryText(reference);
  let best: RegistryRule | undefined;
  for (const rule of config.registries) {
    if (matchLength(name, rule.prefix) === undefined) continue;
    if (best === undefined || rule.prefix.length > best.prefix.length) best = rule;
  }
  return best;
}

function takes(mirror: MirrorRule, reference: ImageReference): boolean {
  return mirror.pull === "all" || (mirror.pull === "digest-only") === (reference.digest !== undefined);
}

function moved(reference: ImageReference, rule: RegistryRule, location: string | undefined): ImageReference {
  if (location === undefined) return reference;
  const name = repositoryText(reference);
  const { tag, digest } = reference;
  try {
    const { domain, path } = parseReference(`${location}${name.slice(matchLength(name, rule.prefix) ?? 0)}`);
    return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
  } catch (error) {
    throw withStep(`${rule.file}: [[registry]] ${JSON.stringify(rule.prefix)} applied to ${name}`, error);
  }
}

/** How much of `name` the prefix covers; it must end where a name component, port or the name itself ends. */
function matchLength(name: string, prefix: string): number | undefined {
  if (!prefix.startsWith("*.")) return endsCleanly(name, prefix, 0);
  const suffix = prefix.slice(1);
  const hostEnd = name.indexOf("/");
  // a wildcard stands for one label or more of the host
  for (let at = name.indexOf(suffix, 1); at > 0 && at < hostEnd; at = name.indexOf(suffix, at + 1)) {
    const end = endsCleanly(name, suffix, at);
    if (end !== undefined) return end;
  }
  return undefined;
}

function endsCleanly(name: string, part: string, at: number): number | undefined {
  if (!name.startsWith(part, at)) return undefined;
  const end = at + part.length;
  return end === name.length || name[end] === "/" || name[end] === ":" ? end : undefined;
}

function endpoint(reference: ImageReference, insecure: boolean, isMirror: boolean): Endpoint {
  const host = reference.domain === "docker.io" ? "registry-1.docker.io" : reference.domain;
  return { reference, host, insecure, isMirror };
}
