import { access } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../base/index.ts";
import { type Config, version } from "../config/index.ts";
import { type ImageDeps, type ImageUsers, LayerFlights, pinnedBy, SharedWork } from "../images/index.ts";
import { hostPlatform } from "../oci/index.ts";
import {
  authFileSearchPath,
  candidatesForShortName,
  createCredentialSource,
  createRegistryClient,
  loadRegistriesConf,
  type RegistriesConfFiles,
  type ShortNameMode,
} from "../registry/index.ts";
import type { Store } from "../storage/index.ts";

/** Where the containers/* libraries look for certificates, the first directory with one for the registry counts. */
const certsDirs = ["/etc/containers/certs.d", "/etc/docker/certs.d"];

/** What the operations on images work with, from the configuration and the containers/* files of this node. */
export async function composeImages(
  config: Config,
  { store, users, log }: { readonly store: Store; readonly users: ImageUsers; readonly log: Logger },
): Promise<ImageDeps> {
  const registries = await loadRegistriesConf(await registriesFiles(config));
  const { globalAuthFile, shortNameMode } = config.image;
  const credentials = createCredentialSource({
    files:
      globalAuthFile === ""
        ? authFileSearchPath(process.env, process.getuid?.() ?? 0)
        : [{ path: globalAuthFile, legacy: false }],
    helpers: () => registries.credentialHelpers,
    log,
  });
  const registry = createRegistryClient({
    config: () => registries,
    credentials,
    certsDirs,
    userAgent: `cri-o/${version} os/linux arch/${hostPlatform().architecture}`,
    log,
    env: process.env,
  });
  return {
    store,
    registry,
    candidates: (name) => candidatesForShortName(registries, name, modeOf(shortNameMode)),
    pulls: new SharedWork("pull"),
    layers: new LayerFlights(store, registry, log),
    platform: hostPlatform(),
    progressTimeoutMs: config.image.pullProgressTimeoutMs,
    pinned: pinnedBy(() => [...config.image.pinnedImages, config.image.pauseImage]),
    users,
    log,
  };
}

/**
 * containers-registries.conf(5): the file that was named, else the user's own, else the node's; drop-ins of the directory that was
 * named, else the node's and then the user's.
 */
async function registriesFiles({ invocation }: Config): Promise<RegistriesConfFiles> {
  const home = join(process.env.HOME ?? "/root", ".config/containers");
  const users = join(home, "registries.conf");
  const path = invocation.registriesConf || ((await isThere(users)) ? users : "/etc/containers/registries.conf");
  const dropInDirs =
    invocation.registriesConfDir === ""
      ? ["/etc/containers/registries.conf.d", join(home, "registries.conf.d")]
      : [invocation.registriesConfDir];
  return { path, dropInDirs, required: invocation.registriesConf !== "" };
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function modeOf(text: string): ShortNameMode {
  return text === "disabled" || text === "permissive" ? text : "enforcing";
}
