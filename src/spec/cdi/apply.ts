import type { Hook, Hooks, LinuxDevice, LinuxDeviceRule, RuntimeSpec } from "../../oci/index.ts";
import { specWithDevices, specWithEnv, specWithMounts } from "../edits.ts";
import { byDepth } from "../mount-list.ts";
import type { CdiDeviceNode, CdiEdits } from "./spec-file.ts";

/** A device node with all that its specification leaves to the host. */
export type KnownDeviceNode = CdiDeviceNode & Required<Pick<CdiDeviceNode, "type" | "major" | "minor">>;

export interface KnownCdiEdits extends CdiEdits {
  readonly deviceNodes: readonly KnownDeviceNode[];
}

/** The spec with the changes of CDI devices. Device nodes belong to the user of the process where nothing else is said. */
export function specWithCdi(spec: RuntimeSpec, edits: readonly KnownCdiEdits[]): RuntimeSpec {
  return edits.reduce(specWithOne, spec);
}

function specWithOne(spec: RuntimeSpec, edits: KnownCdiEdits): RuntimeSpec {
  let changed = edits.env.length === 0 ? spec : specWithEnv(spec, edits.env);
  if (edits.deviceNodes.length > 0) {
    const devices = edits.deviceNodes.map((node) => linuxDevice(node, spec));
    changed = specWithDevices(changed, { devices, rules: edits.deviceNodes.flatMap(ruleFor) });
  }
  if (edits.mounts.length > 0) {
    changed = specWithMounts(changed, edits.mounts);
    changed = { ...changed, mounts: byDepth(changed.mounts ?? []) };
  }
  if (edits.hooks.length > 0) changed = { ...changed, hooks: withHooks(changed.hooks, edits.hooks) };
  if (edits.additionalGids.length > 0) changed = withGids(changed, edits.additionalGids);
  if (edits.intelRdt !== undefined) changed = { ...changed, linux: { ...changed.linux, intelRdt: edits.intelRdt } };
  return changed;
}

function linuxDevice(node: KnownDeviceNode, { process }: RuntimeSpec): LinuxDevice {
  const { path, type, major, minor, fileMode } = node;
  const uid = node.uid ?? ownId(process?.user.uid);
  const gid = node.gid ?? ownId(process?.user.gid);
  return {
    path,
    type,
    major,
    minor,
    ...(fileMode === undefined ? {} : { fileMode }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  };
}

function ownId(id: number | undefined): number | undefined {
  return id === undefined || id === 0 ? undefined : id;
}

function ruleFor({ type, major, minor, permissions }: KnownDeviceNode): readonly LinuxDeviceRule[] {
  return type === "b" || type === "c" ? [{ allow: true, type, major, minor, access: permissions }] : [];
}

function withHooks(hooks: Hooks | undefined, more: CdiEdits["hooks"]): Hooks {
  const all: Partial<Record<keyof Hooks, readonly Hook[]>> = { ...hooks };
  for (const { stage, hook } of more) all[stage] = [...(all[stage] ?? []), hook];
  return all;
}

function withGids(spec: RuntimeSpec, gids: readonly number[]): RuntimeSpec {
  if (spec.process === undefined) return spec;
  const { user } = spec.process;
  const additionalGids = [...new Set([...(user.additionalGids ?? []), ...gids.filter((gid) => gid !== 0)])];
  return { ...spec, process: { ...spec.process, user: { ...user, additionalGids } } };
}
