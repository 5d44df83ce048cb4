/** A line of /proc/PID/cgroup (cgroups(7)): where a process is in one hierarchy. */
export interface Membership {
  /** v1: its controllers, or `name=…` of a named hierarchy. Empty for the unified one. */
  readonly controllers: readonly string[];
  /** Relative to the root of the reader's cgroup namespace; begins with `/..` for a cgroup outside it. */
  readonly path: string;
}

/** Parses /proc/PID/cgroup. Lines of another form are passed over. */
export function parseProcCgroup(text: string): readonly Membership[] {
  return text.split("\n").flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return [];
    return [{ controllers: controllers === "" ? [] : controllers.split(","), path }];
  });
}

/** `path`, which is relative to the namespace, as a mount with this root shows it; undefined when it does not. */
export function pathInMount(path: string, mountRoot: string): string | undefined {
  if (mountRoot === "/") return path.startsWith("/..") ? undefined : path;
  if (path === mountRoot) return "/";
  return path.startsWith(`${mountRoot}/`) ? path.slice(mountRoot.length) : undefined;
}
