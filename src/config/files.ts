import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";

/** Far beyond any configuration file; keeps a wrong path from filling memory. */
const maxFileBytes = 4 << 20;

/** The text of a configuration file; undefined when there is none. Rejects with a Fault for what is no UTF-8 or over 4 MiB. */
export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return decode(path, await readAtMost(path, maxFileBytes));
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    if (error instanceof Fault) throw error;
    throw new Fault("failed", `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Every file below `directory` in lexical order of their names, each directory where its own name stands; all of them, whatever
 * they are called. Symbolic links to directories are not followed but for `directory` itself. Empty when it does not exist.
 */
export async function filesBelow(directory: string): Promise<readonly string[]> {
  if (directory === "" || !(await exists(directory))) return [];
  return walk(directory);
}

async function walk(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const sorted = entries.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  const files: string[] = [];
  for (const entry of sorted) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) files.push(...(await walk(path)));
    else files.push(path);
  }
  return files;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw new Fault("failed", `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Reads without asking the size first: `--config /dev/null` and pipes have none. */
async function readAtMost(path: string, maxBytes: number): Promise<Buffer> {
  await using file = await open(path, "r");
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(64 << 10), 0, 64 << 10, null);
    if (bytesRead === 0) return Buffer.concat(chunks, total);
    chunks.push(buffer.subarray(0, bytesRead));
    total += bytesRead;
    if (total > maxBytes) throw new Fault("exhausted", `${path} is larger than ${maxBytes} bytes`);
  }
}

function decode(path: string, bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Fault("invalid", `${path} is not UTF-8 text`, { cause: error });
  }
}
