import { constants } from "node:fs";
import { access, open, readFile } from "node:fs/promises";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";

// ENODEV: the cgroup was removed while its file was open. ENOTSUP (the kernel's EOPNOTSUPP): the kernel was started
// without this (PSI), or the cgroup is threaded. ENOTDIR: something else than a cgroup has the name.
const absent = new Set(["ENOENT", "ENODEV", "ENOTSUP", "ENOTDIR"]);

/**
 * The content of a cgroup's file; undefined when the cgroup or the file is not there, or has nothing to say.
 * The kernel writes these files and nobody else can make one, so they need no limit: statistics have a few kilobytes,
 * `cgroup.procs` at most one line for each pid of the machine.
 */
export async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8"); // a seventh of the CPU time of reading through a FileHandle, and read often
  } catch (error) {
    if (absent.has(errnoOf(error) ?? "")) return undefined;
    throw new Fault("failed", `reading ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Writes one value, by one write(2), to a file that exists. Rejects with Fault("not-found") when it does not, and with
 * Fault("failed") and the kernel's errno when it refuses the value.
 */
export async function writeText(file: string, value: string): Promise<void> {
  try {
    await using handle = await open(file, constants.O_WRONLY); // never O_CREAT, and some files cannot be read
    await handle.write(value);
  } catch (error) {
    const errno = errnoOf(error);
    const code = errno === "ENOENT" || errno === "ENODEV" ? "not-found" : "failed";
    throw new Fault(code, `writing ${JSON.stringify(value)} to ${file}: ${errno ?? reasonOf(error)}`, { cause: error });
  }
}

/** Whether a file is there. */
export async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
