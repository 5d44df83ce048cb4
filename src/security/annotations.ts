import { Fault } from "../base/index.ts";
import { knownAnnotations } from "../oci/index.ts";

/** Checks `allowed_annotations` of a handler or workload. Rejects with Fault("invalid"). */
export function checkAllowedAnnotations(allowed: readonly string[]): void {
  for (const name of allowed) {
    if (!knownAnnotations.includes(name)) throw new Fault("invalid", `invalid allowed_annotation: ${name}`);
  }
}

/**
 * The annotations without those that start with a known name that is not allowed. Names and older names are allowed each for
 * itself. Annotations that crio does not know pass.
 */
export function filterAnnotations(
  annotations: Readonly<Record<string, string>>,
  allowed: Iterable<string>,
): Readonly<Record<string, string>> {
  const permitted = new Set(allowed);
  const withheld = knownAnnotations.filter((name) => !permitted.has(name));
  const kept: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(annotations)) {
    if (!withheld.some((prefix) => name.startsWith(prefix))) kept[name] = value;
  }
  return kept;
}
