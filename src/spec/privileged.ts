import type { ReadyMount } from "./plan.ts";

/** The mount made writable, as every mount of a privileged container is; what is writable already stays as it is. */
export function withoutReadonly(mount: ReadyMount): ReadyMount {
  if (mount.options.includes("rw")) return mount;
  return { ...mount, options: [...mount.options.filter((option) => option !== "ro"), "rw"] };
}
