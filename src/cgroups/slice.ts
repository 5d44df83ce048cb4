import { basename } from "node:path";
import { Fault } from "../base/index.ts";
import { parseUnitName, type UnitName } from "../host/index.ts";
import { type CgroupPath, parseCgroupPath, rootCgroup } from "./path.ts";

/** The slice for what belongs to no pod. */
export const systemSlice: UnitName = parseUnitName("system.slice");

/**
 * The slice that a path such as `/kubepods.slice/kubepods-pod1.slice` ends in; undefined when that is no `.slice`.
 * Throws Fault("invalid") for a path or name that systemd or an OCI runtime could misread.
 */
export function sliceOf(parent: string): UnitName | undefined {
  const path = parseCgroupPath(parent);
  const name = basename(path);
  if (!name.endsWith(".slice")) return undefined;
  // The OCI runtime splits `slice:prefix:name` at the colons.
  if (name.includes(":"))
    throw new Fault("invalid", `not the name of a slice: ${JSON.stringify(name)}: it has a colon`);
  expandSlice(name); // its dashes must make sense
  return parseUnitName(name);
}

/**
 * Where systemd puts a slice (systemd.slice(5)): `a-b.slice` is in `/a.slice/a-b.slice`, `-.slice` is the root.
 * Throws Fault("invalid") for a name with a dash at either end or two in a row.
 */
export function expandSlice(name: string): CgroupPath {
  if (name === "-.slice") return rootCgroup;
  const stem = parseUnitName(name).slice(0, -".slice".length);
  const parts = stem.split("-");
  if (!name.endsWith(".slice") || parts.includes("")) {
    throw new Fault("invalid", `not the name of a slice: ${JSON.stringify(name)}`);
  }
  return parseCgroupPath(parts.map((_, i) => `${parts.slice(0, i + 1).join("-")}.slice`).join("/"));
}
