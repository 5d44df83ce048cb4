import { Fault } from "../../base/index.ts";
import { type CdiEdits, type CdiSpec, parseCdiName } from "./spec-file.ts";

/** A specification, and how much it counts: that of its directory. */
export interface RankedCdiSpec {
  readonly spec: CdiSpec;
  readonly rank: number;
}

export const cdiAnnotationPrefix = "cdi.k8s.io/";

/** The devices that annotations ask for: `cdi.k8s.io/ANYTHING: vendor.com/class=a,vendor.com/class=b`. Rejects with Fault("invalid"). */
export function annotatedCdiDevices(annotations: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(annotations)
    .filter(([key]) => key.startsWith(cdiAnnotationPrefix))
    .flatMap(([key, value]) =>
      value.split(",").map((name) => {
        try {
          parseCdiName(name);
          return name;
        } catch (cause) {
          const why = cause instanceof Error ? cause.message : String(cause);
          throw new Fault("invalid", `failed to parse CDI device annotations: ${key}: ${why}`, { cause });
        }
      }),
    );
}

/**
 * What the devices of these names do to a container, in their order; what a specification has for all its devices comes once, before the first of
 * them. Where two specifications have a device, that of the higher rank counts. Rejects with Fault("not-found") for devices that there are not,
 * and for those that two specifications of one rank have.
 */
export function editsForCdi(names: readonly string[], specs: readonly RankedCdiSpec[]): readonly CdiEdits[] {
  const unresolved: string[] = [];
  const begun = new Set<CdiSpec>();
  const edits: CdiEdits[] = [];
  for (const text of names) {
    const spec = specWith(parseCdiName(text), specs);
    const device = spec?.devices.get(parseCdiName(text).name);
    if (spec === undefined || device === undefined) {
      unresolved.push(text);
      continue;
    }
    if (!begun.has(spec)) edits.push(spec.edits);
    begun.add(spec);
    edits.push(device);
  }
  if (unresolved.length === 0) return edits;
  throw new Fault("not-found", `unresolvable CDI devices ${unresolved.join(", ")}`);
}

function specWith(device: { readonly kind: string; readonly name: string }, specs: readonly RankedCdiSpec[]) {
  const found = specs.filter(({ spec }) => spec.kind === device.kind && spec.devices.has(device.name));
  const highest = Math.max(...found.map(({ rank }) => rank));
  const [first, ...others] = found.filter(({ rank }) => rank === highest);
  return others.length === 0 ? first?.spec : undefined;
}
