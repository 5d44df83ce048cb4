import { createHash, randomUUID } from "node:crypto";
import { lstat, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault, type Logger, reasonOf } from "../base/index.ts";
import { parseReference, repositoryText } from "../oci/index.ts";
import { type CredentialSource, credentialsInFile } from "../registry/index.ts";

export interface NamespacedAuth {
  /** `namespaced_auth_dir` */
  readonly directory: string;
  readonly log: Logger;
}

/**
 * Runs `work` with the credentials that a credential provider has left for this image of this namespace, or undefined where there are none. The
 * file is taken away before it is used, so that it counts for one pull alone, and removed afterwards (reference: annotations-and-features.md 10).
 */
export async function withNamespacedAuth<T>(
  auth: NamespacedAuth,
  { image, namespace }: { readonly image: string; readonly namespace: string },
  work: (credentials: CredentialSource | undefined) => Promise<T>,
): Promise<T> {
  const name = fileNameFor(image, namespace);
  const path = name === undefined ? undefined : await take(auth.directory, name);
  if (path === undefined) return await work(undefined);
  auth.log.debug("credentials of the namespace are used", { image, namespace });
  try {
    return await work(credentialsInFile(path, auth.log));
  } finally {
    await rm(path, { force: true });
  }
}

/** Removes what a daemon that was killed was using: nobody may use it again. */
export async function removeUsedAuth(directory: string): Promise<void> {
  await rm(join(directory, inUse), { recursive: true, force: true });
}

const inUse = "in-use";

/** Undefined for what can have no such file: no namespace, or an image that is not named. */
function fileNameFor(image: string, namespace: string): string | undefined {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(namespace)) return undefined;
  try {
    const repository = repositoryText(parseReference(image));
    return `${namespace}-${createHash("sha256").update(repository).digest("hex")}`;
  } catch {
    return undefined; // the pull says what is wrong with the name
  }
}

/** Moves the file to where nobody else looks for it; undefined when there is none. */
async function take(directory: string, name: string): Promise<string | undefined> {
  const from = join(directory, `${name}.json`);
  const used = join(directory, inUse, `${name}-${randomUUID()}.json`);
  try {
    await lstat(from); // most pulls end here
    await mkdir(join(directory, inUse), { recursive: true, mode: 0o700 });
    await rename(from, used);
    return used;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw new Fault("failed", `taking the credentials ${from}: ${reasonOf(error)}`, { cause: error });
  }
}
