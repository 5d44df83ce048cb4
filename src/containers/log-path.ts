import { lstat, mkdir, readlink, rm, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, normalize, relative } from "node:path";
import { errnoOf, Fault, withStep } from "../base/index.ts";

/** Where a container's log lies. */
export interface LogPlace {
  /** The pod's log directory, absolute. */
  readonly directory: string;
  /** The log, below it. */
  readonly path: string;
}

/**
 * The place of a log by the request: `logPath` relative to the directory, "" for `<id>.log`. Rejects whatever could lead out of the
 * pod's log directory.
 */
export function logPlaceOf(id: string, request: { readonly directory: string; readonly logPath: string }): LogPlace {
  if (request.directory === "") throw new Fault("invalid", `container ${id} has a sandbox with an empty log path`);
  const directory = checkedLogDirectory(request.directory);
  const logPath = request.logPath === "" ? `${id}.log` : request.logPath;
  checkPath(logPath, "log_path");
  const path = join(directory, normalize(logPath));
  if (relative(directory, path) === "" || path.endsWith("/")) {
    throw new Fault(
      "invalid",
      `log_path ${JSON.stringify(logPath)} is not a file in the pod's log directory ${directory}`,
    );
  }
  return { directory, path };
}

/** A pod's log directory as the request names it, without slashes too many. Rejects one that is not absolute or climbs. */
export function checkedLogDirectory(text: string): string {
  checkPath(text, "log_directory");
  if (!isAbsolute(text)) throw new Fault("invalid", `log_directory ${JSON.stringify(text)} is not absolute`);
  return normalize(text).replace(/(?<=.)\/+$/, "");
}

/**
 * Makes the directories of a log and removes a link that leads nowhere from its place. A link that leads somewhere is refused, in
 * place of the log or of a directory: conmon would write through it as root, and a pod may have the log directory as a volume.
 */
export async function prepareLog({ directory, path }: LogPlace): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const parts = relative(directory, dirname(path)).split("/");
    for (let at = directory; parts.length > 0; ) {
      at = join(at, parts.shift() ?? "");
      if (at !== directory) await requireDirectory(at);
    }
    await removeDanglingLink(path);
  } catch (error) {
    throw withStep(`preparing the log ${path}`, error);
  }
}

async function requireDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    if (!(await lstat(path)).isDirectory()) throw new Fault("denied", `${path} is not a directory: remove it first`);
  }
}

async function removeDanglingLink(path: string): Promise<void> {
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
  if (leadsSomewhere) throw new Fault("denied", `it is a symbolic link to ${target}: remove it first`);
  await rm(path, { force: true });
}

function checkPath(text: string, field: string): void {
  const why = /[\u0000-\u001f\u007f]/.test(text)
    ? "holds a control character"
    : text.split("/").includes("..")
      ? "leads out of the pod's log directory"
      : undefined;
  if (why !== undefined) throw new Fault("invalid", `${field} ${JSON.stringify(text.slice(0, 200))} ${why}`);
}
