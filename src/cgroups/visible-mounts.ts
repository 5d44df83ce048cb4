import type { MountEntry } from "../host/index.ts";

/** The mounts that a path lookup reaches: not those which a later mount, on them or on a directory above, hides. */
export function visibleMounts(table: readonly MountEntry[]): readonly MountEntry[] {
  const children = Map.groupBy(table, ({ parent }) => parent);
  const start = startOf(table);
  return table.filter(({ id, mountPoint }) => id === mountAt(mountPoint));

  /** Follows a path from mount to mount, as the kernel does. */
  function mountAt(path: string): number | undefined {
    let current = mountedOn(start, "/");
    for (const prefix of prefixesOf(path)) current = mountedOn(current, prefix);
    return current;
  }

  /** The mount on top of those that were stacked, within `under`, at one path. */
  function mountedOn(under: number | undefined, path: string): number | undefined {
    let top = under;
    for (;;) {
      const next = children.get(top ?? -1)?.find(({ id, mountPoint }) => id !== top && mountPoint === path);
      if (next === undefined) return top;
      top = next.id;
    }
  }
}

/** The mount where the process' root directory is. In a plain chroot it is not listed, only named as a parent. */
function startOf(table: readonly MountEntry[]): number | undefined {
  const ids = new Set(table.map(({ id }) => id));
  const outermost = table.filter(({ id, parent }) => parent === id || !ids.has(parent));
  return (outermost.find(({ mountPoint }) => mountPoint === "/") ?? { id: outermost[0]?.parent }).id;
}

/** `/a`, `/a/b` for `/a/b`; nothing for `/`. */
function prefixesOf(path: string): readonly string[] {
  const names = path.split("/").filter((name) => name !== "");
  return names.map((_, i) => `/${names.slice(0, i + 1).join("/")}`);
}
