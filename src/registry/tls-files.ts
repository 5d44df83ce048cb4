import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import { readBounded } from "../host/index.ts";

const maxFileBytes = 1024 * 1024;
const maxBundleBytes = 16 * 1024 * 1024;

/** What a directory of certs.d says about one registry. All PEM. */
export interface RegistryCertificates {
  /** The directory; undefined when the registry has none. */
  readonly directory: string | undefined;
  /** CAs (`*.crt`) trusted besides the system's. */
  readonly cas: readonly Buffer[];
  /** Client certificates (`*.cert`) with their keys (`*.key`). */
  readonly clients: readonly { readonly cert: Buffer; readonly key: Buffer }[];
}

/**
 * Reads `<dir>/<host[:port]>` in the first of `certsDirs` that has it (containers-certs.d(5)).
 * Rejects with a Fault that names the file when a certificate lacks its key or the other way round.
 */
export async function readRegistryCertificates(
  certsDirs: readonly string[],
  host: string,
): Promise<RegistryCertificates> {
  for (const parent of certsDirs) {
    const directory = join(parent, host);
    const names = await namesIn(directory);
    if (names !== undefined) return readCertificates(directory, names);
  }
  return { directory: undefined, cas: [], clients: [] };
}

/** The system's trust store where distributions keep it; undefined when there is none. */
export async function readSystemCas(env: Readonly<Record<string, string | undefined>>): Promise<Buffer | undefined> {
  for (const path of [env.SSL_CERT_FILE ?? "", ...systemBundles]) {
    if (path === "") continue;
    try {
      return await readBounded(path, maxBundleBytes);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
    }
  }
  return undefined;
}

const systemBundles: readonly string[] = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

async function namesIn(directory: string): Promise<readonly string[] | undefined> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "EACCES") return undefined;
    throw new Fault("failed", `listing registry certificates: ${reasonOf(error)}`, { cause: error });
  }
}

async function readCertificates(directory: string, names: readonly string[]): Promise<RegistryCertificates> {
  const withEnding = (ending: string) => names.filter((name) => name.endsWith(ending));
  for (const key of withEnding(".key")) {
    const cert = key.replace(/\.key$/, ".cert");
    if (!names.includes(cert))
      throw new Fault("invalid", `${directory}: missing client certificate ${cert} for ${key}`);
  }
  const [cas, clients] = await Promise.all([
    Promise.all(withEnding(".crt").map((name) => read(join(directory, name)))),
    Promise.all(withEnding(".cert").map((name) => readClient(directory, name, names))),
  ]);
  return { directory, cas, clients };
}

async function readClient(
  directory: string,
  name: string,
  names: readonly string[],
): Promise<{ readonly cert: Buffer; readonly key: Buffer }> {
  const keyName = name.replace(/\.cert$/, ".key");
  if (!names.includes(keyName)) {
    throw new Fault("invalid", `${directory}: missing key ${keyName} for ${name} (a CA's file name ends in .crt)`);
  }
  const [cert, key] = await Promise.all([read(join(directory, name)), read(join(directory, keyName))]);
  return { cert, key };
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readBounded(path, maxFileBytes);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault("failed", `reading the registry certificate ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
