import { lstat, mkdir, readlink, rm, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, normalize } from "node:path";
import { errnoOf, Fault } from "../base/index.ts";

export interface LogPlace {
  readonly id: string;
  /** The pod's log directory, absolute. */
  readonly directory: string;
  /** Of the request, relative to the directory; "" for `<id>.log`. */
  readonly logPath: string;
}

/** Where a container's log lies. Rejects a path that leads out of the pod's log directory. */
export function logPathOf({ id, directory, logPath }: LogPlace): string {
  if (directory === "") throw new Fault("invalid", `container ${id} has a sandbox with an empty log path`);
  if (!isAbsolute(directory)) throw new Fault("invalid", `log_directory ${directory} is not absolute`);
  for (const text of [directory, logPath]) {
    if (/[\u0000-\u001f\u007f]/.test(text)) throw new Fault("invalid", "a log path holds a control character");
  }
  const base = normalize(directory).replace(/\/+$/, "");
  const path = normalize(join(base, logPath === "" ? `${id}.log` : logPath));
  if (!path.startsWith(`${base}/`) || path === `${base}/`) {
    throw new Fault("invalid", `log_path ${JSON.stringify(logPath)} leads out of the pod's log directory ${directory}`);
  }
  return path;
}

/**
 * Makes the directory of a log and removes a link that leads nowhere from its place. A link that leads somewhere is refused: conmon
 * would write through it as root.
 */
export async function prepareLog(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    if (!(await lstat(path)).isSymbolicLink()) return;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  const target = await readlink(path);
  const leadsSomewhere = await stat(path).then(
    () => true,
    () => false,
  );
  if (leadsSomewhere)
    throw new Fault("denied", `the log path ${path} is a symbolic link to ${target}: remove it first`);
  await rm(path, { force: true });
}
