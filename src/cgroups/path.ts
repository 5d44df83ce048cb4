import { Fault } from "../base/index.ts";

/**
 * The path of a cgroup below the root of its hierarchy as this process sees it: `/kubepods/pod1/crio-3f2a`.
 * Absolute, no empty, `.` or `..` component, no control characters.
 */
export type CgroupPath = string & { readonly __cgroupPath: unique symbol };

/** The root of every hierarchy. */
export const rootCgroup = "/" as CgroupPath;

const maxComponentBytes = 255;
const maxPathBytes = 3072;

/**
 * Checks a path that a pod, the kubelet or the kernel named; slashes too many are dropped, a leading one is added.
 * Throws Fault("invalid") for `..`, `.`, control characters, and components or paths that are too long.
 */
export function parseCgroupPath(text: string): CgroupPath {
  const components = text.split("/").filter((component) => component !== "");
  for (const component of components) checkComponent(text, component);
  const path = `/${components.join("/")}`;
  if (Buffer.byteLength(path) > maxPathBytes) throw refusal(text, `longer than ${maxPathBytes} bytes`);
  return path as CgroupPath;
}

/** The cgroup called `name` in `parent`. Throws Fault("invalid") unless `name` is one component. */
export function childCgroup(parent: CgroupPath, name: string): CgroupPath {
  if (name === "" || name.includes("/")) throw refusal(name, "not one component");
  return parseCgroupPath(`${parent}/${name}`);
}

/** `path` and all that contain it, the root first: `/`, `/a`, `/a/b`. */
export function lineageOf(path: CgroupPath): readonly CgroupPath[] {
  const components = path.split("/").filter((component) => component !== "");
  return [rootCgroup, ...components.map((_, i) => `/${components.slice(0, i + 1).join("/")}` as CgroupPath)];
}

/** Checks the id of a pod or container before it becomes part of a cgroup's or unit's name. Throws Fault("invalid"). */
export function checkId(id: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id)) {
    throw new Fault("invalid", `not an id that can name a cgroup: ${JSON.stringify(id.slice(0, 200))}`);
  }
  return id;
}

function checkComponent(text: string, component: string): void {
  if (component === "." || component === "..") throw refusal(text, `it has a component ${JSON.stringify(component)}`);
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(component)) throw refusal(text, "it has control characters");
  if (Buffer.byteLength(component) > maxComponentBytes) {
    throw refusal(text, `a component is longer than ${maxComponentBytes} bytes`);
  }
}

function refusal(text: string, why: string): Fault {
  return new Fault("invalid", `not the path of a cgroup: ${JSON.stringify(text.slice(0, 300))}: ${why}`);
}
