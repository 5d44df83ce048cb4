import { randomBytes } from "node:crypto";
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault } from "../../base/index.ts";
import { readBounded } from "../../host/index.ts";
import { isStoreId } from "../paths.ts";

// Layers refer to those below them by short links, from times when all had to fit into a page of mount options:
// `l/<26 letters and digits>` points to `../<layer id>/diff`, the layer's `link` file names its link, its `lower` file
// the links of all layers below, nearest first.

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** A new link name. */
export function newLinkName(): string {
  return Array.from(randomBytes(26), (byte) => alphabet[byte & 31]).join("");
}

/** The link name of a layer. Rejects with Fault("corrupt") when its `link` file holds none, with ENOENT when it is missing. */
export async function readLinkName(layerDirectory: string): Promise<string> {
  const file = join(layerDirectory, "link");
  const name = (await readBounded(file, maxLinkBytes)).toString("utf8");
  if (linkName.test(name)) return name;
  throw new Fault("corrupt", `${file} holds no link name`);
}

/** `l/…:l/…` of all layers below; undefined for a base layer. */
export async function readLower(layerDirectory: string): Promise<string | undefined> {
  try {
    return (await readBounded(join(layerDirectory, "lower"), maxLowerBytes)).toString("utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The `lower` file of a layer on top of the one in `parentDirectory`. */
export async function lowerOnTopOf(parentDirectory: string): Promise<string> {
  const [link, lower] = await Promise.all([readLinkName(parentDirectory), readLower(parentDirectory)]);
  const all = lower === undefined || lower === "" ? `l/${link}` : `l/${link}:${lower}`;
  if (all.split(":").length > maxDepth)
    throw new Fault("exhausted", `more than ${maxDepth} layers on top of each other`);
  return all;
}

/** What overlayfs can stack. */
const maxDepth = 500;
const maxLinkBytes = 256;
const maxLowerBytes = 2 ** 20;
const linkName = /^[A-Z0-9]{1,64}$/;

/** The directories that a `lower` file means, by absolute paths. Rejects with Fault("corrupt") for a broken or foreign link. */
export async function lowerDirectories(home: string, lower: string): Promise<readonly string[]> {
  return Promise.all(lower.split(":").map((entry) => diffDirectory(home, entry)));
}

async function diffDirectory(home: string, entry: string): Promise<string> {
  const name = entry.startsWith("l/") ? entry.slice(2) : "";
  const broken = (cause?: unknown) => new Fault("corrupt", `the link ${entry} in ${home} leads to no layer`, { cause });
  if (!linkName.test(name)) throw broken();
  const target = await readlink(join(home, "l", name)).catch((error) => {
    throw broken(error);
  });
  const [, id] = /^\.\.\/([^/]+)\/diff$/.exec(target) ?? [];
  if (id === undefined || !isStoreId(id)) throw broken();
  return join(home, id, "diff");
}
