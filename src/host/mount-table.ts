import { readBounded } from "./bounded-read.ts";

/** A line of /proc/self/mountinfo. */
export interface MountEntry {
  readonly id: number;
  readonly parent: number;
  /** `major:minor` of the file system. */
  readonly device: string;
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
  /** Peer groups: `shared` with others, or `master` that it receives from. */
  readonly propagation: { readonly shared?: number; readonly master?: number; readonly unbindable?: true };
  readonly fsType: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

// A node with a thousand pods has about a megabyte of it.
const maxTableBytes = 64 * 1024 * 1024;

/** The mounts of this process' mount namespace, in the order of mounting. */
export async function readMountTable(): Promise<readonly MountEntry[]> {
  return parseMountTable((await readBounded("/proc/self/mountinfo", maxTableBytes)).toString("utf8"));
}

/** The topmost mount at exactly `path` (absolute, no symbolic links), or undefined when nothing is mounted there. */
export async function mountEntryOf(path: string): Promise<MountEntry | undefined> {
  return (await readMountTable()).findLast((entry) => entry.mountPoint === path);
}

/** Parses mountinfo as proc_pid_mountinfo(5) describes it. Lines that do not fit the format are passed over. */
export function parseMountTable(text: string): readonly MountEntry[] {
  return text.split("\n").flatMap((line) => parseLine(line) ?? []);
}

function parseLine(line: string): MountEntry | undefined {
  const fields = line.split(" ");
  const separator = fields.indexOf("-", 6);
  const [id, parent, device, root, mountPoint, options] = fields;
  if (separator === -1 || options === undefined || root === undefined || mountPoint === undefined) return undefined;
  const [fsType, source, superOptions] = fields.slice(separator + 1);
  return {
    id: Number(id),
    parent: Number(parent),
    device: device ?? "",
    root: unescaped(root),
    mountPoint: unescaped(mountPoint),
    options: options.split(","),
    propagation: propagationOf(fields.slice(6, separator)),
    fsType: unescaped(fsType ?? ""),
    source: unescaped(source ?? ""),
    superOptions: unescaped(superOptions ?? "").split(","),
  };
}

function propagationOf(tags: readonly string[]): MountEntry["propagation"] {
  const group = (name: string) => tags.find((tag) => tag.startsWith(`${name}:`))?.slice(name.length + 1);
  const shared = group("shared");
  const master = group("master");
  return {
    ...(shared === undefined ? {} : { shared: Number(shared) }),
    ...(master === undefined ? {} : { master: Number(master) }),
    ...(tags.includes("unbindable") ? { unbindable: true as const } : {}),
  };
}

/** Space, tab, newline and backslash are written as a backslash and three octal digits. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
