import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { errnoOf, isFault, reasonOf } from "../../base/index.ts";
import { Crc64 } from "./crc64.ts";
import type { LayerLimits } from "./limits.ts";
import { kernelPath, pathInLayer, shownName, type TarName } from "./tar-name.ts";
import { TarReader } from "./tar-reader.ts";
import { readTarSplit, type TarSplitLine } from "./tar-split-reader.ts";
import { TreeComparison } from "./tree-comparison.ts";

export interface LayerVerifyingOptions {
  readonly tarSplitFd: number;
  /** SHA-256 of the archive that the layer was, in hex, and its size where that is known. */
  readonly diffSha256: string;
  readonly diffSize: number | undefined;
  /** Compare names, kinds, modes and owners too, not contents alone. */
  readonly contents: boolean;
  /** Whether the files belong to whom the archive says. */
  readonly owners: boolean;
  readonly limits: Pick<LayerLimits, "maxHeaderBytes" | "maxEntries">;
}

/** What came of reading a layer back. */
export interface VerifiedLayer {
  /** What is wrong, the first few of it. */
  readonly problems: readonly string[];
  /** Why a part of it could not be looked at. */
  readonly skipped: string | undefined;
}

const maxProblems = 20;
const maxCandidates = 1000;
const copyBytes = 256 * 1024;

/**
 * Makes the archive of a layer again from its tar-split and the tree in the working directory, which is the root directory of this thread
 * (see confine.ts), and compares it with the digest it had; with `contents`, the tree with the archive's headers too.
 */
export async function verifyLayer(options: LayerVerifyingOptions): Promise<VerifiedLayer> {
  const hash = createHash("sha256");
  const comparison = new TreeComparison({ owners: options.owners });
  let size = 0;
  let skipped: string | undefined;
  let reader = options.contents ? new TarReader(listenerOf(comparison), options.limits) : undefined;
  const take = (bytes: Buffer) => {
    size += bytes.length;
    hash.update(bytes);
    if (reader === undefined) return;
    try {
      reader.push(bytes);
    } catch (error) {
      skipped = `its headers cannot be compared: ${reasonOf(error)}`;
      reader = undefined;
    }
  };
  const files = new FileProblems();
  try {
    for await (const line of readTarSplit(options.tarSplitFd)) {
      if (line.is === "segment") take(line.bytes);
      else files.note(line, readFile(line, take));
    }
  } catch (error) {
    if (!isFault(error, "corrupt")) throw error;
    return { problems: [`its tar-split is damaged: ${error.message}`], skipped };
  }
  const problems: string[] = [...files.problems];
  if (problems.length === 0 && files.replaced > 0) {
    skipped = `${files.replaced} of its files are in the archive more than once, which cannot be made again`;
  } else if (problems.length === 0) {
    if (hash.digest("hex") !== options.diffSha256) {
      problems.push(`its content has another digest than the sha256:${options.diffSha256} it was pulled with`);
    } else if (options.diffSize !== undefined && size !== options.diffSize) {
      problems.push(`its record says ${options.diffSize} bytes, and its archive has ${size}`);
    }
  }
  if (reader !== undefined) problems.push(...comparison.finish());
  return { problems: problems.slice(0, maxProblems), skipped };
}

function listenerOf(comparison: TreeComparison): ConstructorParameters<typeof TarReader>[0] {
  return {
    headers: () => {},
    globalHeader: () => {},
    entry: (entry) => comparison.entry(entry),
    content: () => {},
    entryEnd: () => {},
    trailer: () => {},
  };
}

/** Problems of files by their path, of which a later entry of the same path takes the earlier's place. */
class FileProblems {
  readonly #byPath = new Map<string, string>();
  /** Files that are not as their archive has them because a later one took their place. */
  replaced = 0;

  note({ name }: TarSplitLine & { readonly is: "file" }, problem: string | undefined): void {
    if (this.#byPath.size === 0 && problem === undefined) return;
    const path = cleaned(name);
    if (this.#byPath.delete(path)) this.replaced++;
    if (problem !== undefined && this.#byPath.size < maxCandidates) this.#byPath.set(path, problem);
  }

  get problems(): readonly string[] {
    return [...this.#byPath.values()];
  }
}

function cleaned(name: TarName): string {
  try {
    return pathInLayer(name).text;
  } catch {
    return name.text;
  }
}

const crc = new Crc64();

/** Hands on the content of a file, as many bytes as the archive had of it whatever the file has, and says what is wrong with it. */
function readFile(line: TarSplitLine & { readonly is: "file" }, take: (bytes: Buffer) => void): string | undefined {
  if (line.size === 0) return undefined;
  let left = line.size;
  let problem: string | undefined;
  crc.reset();
  try {
    const fd = openSync(
      kernelPath(pathInLayer(line.name)),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      const found = fstatSync(fd);
      if (!found.isFile()) problem = "is no file any more";
      else if (found.size !== line.size) problem = `has ${found.size} bytes in place of ${line.size}`;
      while (problem === undefined && left > 0) {
        const chunk = Buffer.alloc(Math.min(copyBytes, left));
        const length = readSync(fd, chunk, 0, chunk.length, null);
        if (length === 0) break;
        crc.update(chunk.subarray(0, length));
        take(chunk.subarray(0, length));
        left -= length;
      }
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const errno = errnoOf(error);
    problem = errno === "ENOENT" || errno === "ENOTDIR" ? "is missing" : `cannot be read: ${reasonOf(error)}`;
  }
  if (problem === undefined && line.crc !== undefined && !crc.digest().equals(line.crc))
    problem = "has another content";
  for (; left > 0; left -= Math.min(copyBytes, left)) take(Buffer.alloc(Math.min(copyBytes, left))); // so that headers are found
  return problem === undefined ? undefined : `${shownName(line.name)} ${problem}`;
}
