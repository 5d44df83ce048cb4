import { Fault } from "../base/index.ts";
import { type ImageReference, isShortName, parseReference, withDefaultTag } from "../oci/index.ts";
import type { RegistriesConfig, ShortNameMode } from "./registries-conf.ts";

/**
 * The full names that `name` may stand for, in the order to try them, with tag or digest (never both). A name that names its
 * registry stands for itself; a short name for its alias, otherwise for one name per unqualified-search registry.
 *
 * With `mode` "enforcing" more than one candidate is refused: nobody can be asked which one is meant.
 */
export function candidatesForShortName(
  config: RegistriesConfig,
  name: string,
  mode: ShortNameMode = config.shortNameMode,
): readonly ImageReference[] {
  const full = parseReference(name);
  if (!isShortName(name)) return [pullable(full)];
  const { repository, rest } = split(name);
  const alias = config.aliases.get(repository);
  if (alias !== undefined) return [pullable(parseReference(`${alias}${rest}`))];
  const candidates = config.unqualifiedSearchRegistries.map((registry) => {
    return pullable(parseReference(`${registry}/${name}`));
  });
  if (candidates.length === 0) {
    const shown = JSON.stringify(name);
    throw new Fault(
      "invalid",
      `short name ${shown} is no alias, and registries.conf has no unqualified-search-registries: name its registry`,
    );
  }
  if (candidates.length > 1 && mode === "enforcing") {
    throw new Fault("invalid", `short name mode is enforcing, but image name ${name} returns ambiguous list`);
  }
  return candidates;
}

/** A tag beside a digest says nothing: the digest decides. */
function pullable(reference: ImageReference): ImageReference {
  const { domain, path, digest } = reference;
  return digest === undefined ? withDefaultTag(reference) : { domain, path, digest };
}

function split(name: string): { readonly repository: string; readonly rest: string } {
  const at = /[:@]/.exec(name)?.index ?? name.length;
  return { repository: name.slice(0, at), rest: name.slice(at) };
}
