import { errnoOf, Fault, type Logger, reasonOf } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import type { ImageReference } from "../oci/index.ts";
import { type AuthFile, lookUpAuth, maxAuthFileBytes, parseAuthFile } from "./auth-file.ts";
import type { Credential } from "./credential.ts";
import { type AskHelper, askHelper } from "./credential-helper.ts";
import { authFilesHelper } from "./registries-conf.ts";

/** Where credentials come from when the pull request brings none. */
export interface CredentialSource {
  /** The credential for an image, by its name at the endpoint; undefined for an anonymous pull. */
  lookUp(reference: ImageReference, signal: AbortSignal): Promise<Credential | undefined>;
}

export interface AuthFilePath {
  readonly path: string;
  /** Format of `~/.dockercfg`. */
  readonly legacy: boolean;
}

export interface CredentialSourceOptions {
  /** Searched in order, at every look-up anew; missing ones are passed over. One entry when an explicit file applies. */
  readonly files: readonly AuthFilePath[];
  /** `credential-helpers` of registries.conf, asked at every look-up. */
  readonly helpers: () => readonly string[];
  readonly log: Logger;
  /** For tests. Default: run the program. */
  readonly askHelper?: AskHelper;
}

/** Looks credentials up in auth files and with credential helpers, in the order registries.conf gives. */
export function createCredentialSource(options: CredentialSourceOptions): CredentialSource {
  const ask = options.askHelper ?? askHelper;
  return {
    async lookUp(reference, signal) {
      const failures: unknown[] = [];
      for (const helper of options.helpers()) {
        try {
          const found =
            helper === authFilesHelper
              ? await lookUpInFiles(options, ask, reference, signal)
              : await askNamed(ask, helper, reference, signal);
          if (found !== undefined) return found;
        } catch (error) {
          signal.throwIfAborted();
          failures.push(error);
        }
      }
      if (failures.length === 0) return undefined;
      throw new Fault("failed", failures.map(reasonOf).join("; "), { cause: failures[0] });
    },
  };
}

/** The credentials of one auth file and no others. */
export function credentialsInFile(path: string, log: Logger): CredentialSource {
  return createCredentialSource({ files: [{ path, legacy: false }], helpers: () => [authFilesHelper], log });
}

/** A source with nothing in it. */
export const noCredentials: CredentialSource = { lookUp: async () => undefined };

/** The auth files of containers-auth.json(5) in their order, for a process with this environment and user. */
export function authFileSearchPath(env: NodeJS.ProcessEnv, uid: number): readonly AuthFilePath[] {
  const home = env.HOME ?? "/root";
  const runtimeDir = env.XDG_RUNTIME_DIR;
  const paths = [
    runtimeDir ? `${runtimeDir}/containers/auth.json` : `/run/containers/${uid}/auth.json`,
    `${env.XDG_CONFIG_HOME || `${home}/.config`}/containers/auth.json`,
    `${env.DOCKER_CONFIG || `${home}/.docker`}/config.json`,
  ];
  return [...paths.map((path) => ({ path, legacy: false })), { path: `${home}/.dockercfg`, legacy: true }];
}

async function lookUpInFiles(
  options: CredentialSourceOptions,
  ask: AskHelper,
  reference: ImageReference,
  signal: AbortSignal,
): Promise<Credential | undefined> {
  for (const path of options.files) {
    const file = await readAuthFile(path);
    if (file === undefined) continue;
    const answer = lookUpAuth(file, reference);
    if (answer?.is === "credential") return { ...answer.credential, origin: `the auth file ${path.path}` };
    if (answer?.is === "helper") return askNamed(ask, answer.helper, reference, signal);
    const stored = await askStore(file, ask, reference, signal, options.log);
    if (stored !== undefined) return stored;
  }
  return undefined;
}

async function askNamed(
  ask: AskHelper,
  helper: string,
  reference: ImageReference,
  signal: AbortSignal,
): Promise<Credential | undefined> {
  const found = await ask(helper, reference.domain, signal);
  return found === undefined ? undefined : { ...found, origin: `the credential helper ${helper}` };
}

/** A file's `credsStore` is often a desktop's and not installed here: its failure is no reason to fail the pull. */
async function askStore(
  file: AuthFile,
  ask: AskHelper,
  reference: ImageReference,
  signal: AbortSignal,
  log: Logger,
): Promise<Credential | undefined> {
  if (file.defaultHelper === undefined) return undefined;
  try {
    return await askNamed(ask, file.defaultHelper, reference, signal);
  } catch (error) {
    signal.throwIfAborted();
    log.debug("credential store passed over", { file: file.path, reason: reasonOf(error) });
    return undefined;
  }
}

async function readAuthFile({ path, legacy }: AuthFilePath): Promise<AuthFile | undefined> {
  try {
    return parseAuthFile(await readBounded(path, maxAuthFileBytes), path, { legacy });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    if (error instanceof Fault) throw error;
    throw new Fault("failed", `reading the auth file ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
