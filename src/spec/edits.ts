import type { LinuxDevice, LinuxDeviceRule, Mount, RuntimeSpec } from "../oci/index.ts";
import { withMounts } from "./mount-list.ts";
import { mergedEnv } from "./process.ts";

/* Changes to a spec that is already built, as hooks, CDI, NRI and high-performance settings make them. */

/** The spec with variables set; each takes the place of an earlier one of its name. Rejects with Fault("invalid") for NUL. */
export function specWithEnv(spec: RuntimeSpec, env: readonly string[]): RuntimeSpec {
  if (spec.process === undefined) return spec;
  return { ...spec, process: { ...spec.process, env: mergedEnv([...(spec.process.env ?? []), ...env]) } };
}

/** The spec with mounts at the end, each instead of an earlier one at its destination. */
export function specWithMounts(spec: RuntimeSpec, mounts: readonly Mount[]): RuntimeSpec {
  return { ...spec, mounts: withMounts<Mount>(spec.mounts ?? [], mounts) };
}

/** The spec with devices, each instead of an earlier one at its path, and with the rules that open them. */
export function specWithDevices(
  spec: RuntimeSpec,
  { devices, rules }: { readonly devices: readonly LinuxDevice[]; readonly rules: readonly LinuxDeviceRule[] },
): RuntimeSpec {
  const { linux = {} } = spec;
  const paths = new Set(devices.map(({ path }) => path));
  const others = (linux.devices ?? []).filter(({ path }) => !paths.has(path));
  const resources = { ...linux.resources, devices: [...(linux.resources?.devices ?? []), ...rules] };
  return { ...spec, linux: { ...linux, devices: [...others, ...devices], resources } };
}

/** The spec with annotations added. */
export function specWithAnnotations(spec: RuntimeSpec, annotations: Readonly<Record<string, string>>): RuntimeSpec {
  const merged: Record<string, string> = Object.assign(Object.create(null), spec.annotations, annotations);
  return { ...spec, annotations: merged };
}
