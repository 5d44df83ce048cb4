import { type Dirent, lstatSync, opendirSync, readlinkSync, type Stats } from "node:fs";
import { errnoOf } from "../../base/index.ts";
import { isDirectory } from "./layer-paths.ts";
import type { TarEntry, TarEntryType } from "./tar-entry.ts";
import { kernelPath, pathInLayer, shownName, splitPath, type TarName, tarNameBytes } from "./tar-name.ts";

/** Paths that are remembered, to find what is in the tree and not in the archive; of a larger layer that is not looked for. */
const maxPaths = 250_000;
const maxProblems = 20;

/**
 * Compares the tree below the working directory, the root directory of this thread, with the entries of the archive that it was made of:
 * what is missing, of another kind, mode or owner, and what was never in the archive. Not contents, and not times.
 */
export class TreeComparison {
  readonly #owners: boolean;
  readonly #problems = new Map<string, string>();
  readonly #paths = new Set<string>();

  constructor({ owners }: { readonly owners: boolean }) {
    this.#owners = owners;
  }

  /** A later entry of the same path takes the earlier one's place. */
  entry(entry: TarEntry): void {
    const path = pathInLayer(entry.name);
    const [directory, base] = splitPath(path.text);
    if (base === ".wh..wh..opq") this.#remember({ ...path, text: directory });
    if (base.startsWith(".wh..wh.")) return;
    if (base.startsWith(".wh.")) {
      this.#remember({ ...path, text: join(directory, base.slice(".wh.".length)) });
      return;
    }
    this.#remember(path);
    this.#problems.delete(path.text);
    // A hard link has the attributes of the entry that came last for the file.
    if (entry.type === "hardlink") this.#problems.delete(pathInLayer(entry.link).text);
    const problem = this.#problemOf(entry, path);
    if (problem !== undefined && this.#problems.size < maxPaths)
      this.#problems.set(path.text, `${shownName(path)} ${problem}`);
  }

  /** All entries have been seen: what is wrong, the first of it. */
  finish(): readonly string[] {
    const problems = [...this.#problems.values()].slice(0, maxProblems);
    if (this.#paths.size < maxPaths) this.#lookForOthers(problems);
    return problems;
  }

  #remember(path: TarName): void {
    if (this.#paths.size >= maxPaths) return;
    const bytes = tarNameBytes(path).toString("latin1");
    for (let at = bytes; at !== "" && !this.#paths.has(at); at = splitPath(at)[0]) this.#paths.add(at);
  }

  #problemOf(entry: TarEntry, path: TarName): string | undefined {
    const name = path.text === "" ? "." : kernelPath(path);
    const stat = lstatOf(name);
    if (stat === undefined) return "is missing";
    const type = entry.type === "hardlink" ? undefined : entry.type;
    if (type !== undefined && typeOf(stat) !== type) return `is a ${typeOf(stat)} in place of a ${type}`;
    if (type === undefined) return undefined; // it has what the entry it links to says
    if (type === "symlink" && !readlinkSync(name, { encoding: "buffer" }).equals(tarNameBytes(entry.link))) {
      return "leads elsewhere";
    }
    if (type !== "symlink" && (stat.mode & 0o7777) !== entry.mode) {
      return `has mode 0${(stat.mode & 0o7777).toString(8)} in place of 0${entry.mode.toString(8)}`;
    }
    if (this.#owners && (stat.uid !== entry.uid || stat.gid !== entry.gid)) {
      return `belongs to ${stat.uid}:${stat.gid} in place of ${entry.uid}:${entry.gid}`;
    }
    return undefined;
  }

  /** Directories are entered only where the archive has them, so that depth is bounded by its paths. */
  #lookForOthers(problems: string[]): void {
    const pending = [""];
    for (let at = pending.pop(); at !== undefined && problems.length < maxProblems; at = pending.pop()) {
      for (const name of namesIn(at)) {
        const path = join(at, name);
        if (!this.#paths.has(path)) problems.push(`${JSON.stringify(path)} was not in the layer`);
        else if (isDirectory(Buffer.from(path, "latin1"))) pending.push(path);
      }
    }
  }
}

function join(directory: string, base: string): string {
  return directory === "" ? base : `${directory}/${base}`;
}

/** The names in a directory, one character for each byte, as its path is given. */
function namesIn(path: string): readonly string[] {
  const directory = opendirSync(path === "" ? "." : Buffer.from(path, "latin1"), { encoding: "latin1" });
  try {
    const names: string[] = [];
    for (let entry: Dirent | null = directory.readSync(); entry !== null; entry = directory.readSync())
      names.push(entry.name);
    return names;
  } finally {
    directory.closeSync();
  }
}

function lstatOf(path: string | Buffer): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

function typeOf(stat: Stats): TarEntryType {
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isCharacterDevice()) return "character";
  if (stat.isBlockDevice()) return "block";
  return stat.isFIFO() ? "fifo" : "file";
}
