import { createPrivateKey, type KeyObject } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import { readBounded } from "../host/index.ts";

const maxKeyBytes = 1024 * 1024;
const maxKeys = 1000;

/**
 * The private keys below `directory` (`decryption_keys_path`): every regular file is one, PEM or DER. None when it is missing. Rejects when there is
 * a symbolic link, which could make a key of any file, or a file that is no key.
 */
export async function readDecryptionKeys(directory: string): Promise<readonly KeyObject[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const link = entries.find((entry) => entry.isSymbolicLink());
    if (link !== undefined)
      throw new Fault("invalid", `${join(link.parentPath, link.name)} is a symbolic link, which is not followed`);
    const files = entries.filter((entry) => entry.isFile()).slice(0, maxKeys);
    return await Promise.all(files.map((file) => readKey(join(file.parentPath, file.name))));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw new Fault("failed", `reading the decryption keys in ${directory}: ${reasonOf(error)}`, { cause: error });
  }
}

async function readKey(path: string): Promise<KeyObject> {
  const bytes = await readBounded(path, maxKeyBytes);
  try {
    if (bytes.includes("-----BEGIN")) return createPrivateKey(bytes);
    return createPrivateKey({ key: bytes, format: "der", type: "pkcs8" });
  } catch {
    // OpenSSL's words could quote the key
    throw new Fault("invalid", `${path} is not a private key without passphrase, in PEM or PKCS#8`);
  }
}
