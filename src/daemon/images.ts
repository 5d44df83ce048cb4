import { access } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../base/index.ts";
import { type Config, version } from "../config/index.ts";
import { type ImageDeps, type ImageUsers, LayerFlights, PullsUnderway, pinnedBy, SharedWork } from "../images/index.ts";
import { hostPlatform } from "../oci/index.ts";
import {
  authFileSearchPath,
  candidatesForShortName,
  createCredentialSource,
  createRegistryClient,
  loadRegistriesConf,
  type RegistriesConfFiles,
  type RegistriesConfig,
  type ShortNameMode,
} from "../registry/index.ts";
import type { Store } from "../storage/index.ts";
import type { Live } from "./live.ts";

/** Where the containers/* libraries look for certificates, the first directory with one for the registry counts. */
const certsDirs = ["/etc/containers/certs.d", "/etc/docker/certs.d"];

/** What the operations on images work with, from the configuration and the containers/* files of this node. */
export function composeImages(
  live: Pick<Live, "current">,
  { store, users, log }: { readonly store: Store; readonly users: ImageUsers; readonly log: Logger },
): ImageDeps {
  const registries = () => live.current.registries;
  const { globalAuthFile, shortNameMode, pullProgressTimeoutMs } = live.current.config.image;
  const credentials = createCredentialSource({
    files:
      globalAuthFile === ""
        ? authFileSearchPath(process.env, process.getuid?.() ?? 0)
        : [{ path: globalAuthFile, legacy: false }],
    helpers: () => registries().credentialHelpers,
    log,
  });
  const registry = createRegistryClient({
    config: registries,
    credentials,
    certsDirs,
    userAgent: `cri-o/${version} os/linux arch/${hostPlatform().architecture}`,
    log,
    env: process.env,
  });
  return {
    store,
    registry,
    candidates: (name) => candidatesForShortName(registries(), name, modeOf(shortNameMode)),
    pulls: new SharedWork("pull"),
    layers: new LayerFlights(store, registry, log),
    underway: new PullsUnderway(),
    platform: hostPlatform(),
    progressTimeoutMs: pullProgressTimeoutMs,
    pinned: pinnedBy(() => [...live.current.config.image.pinnedImages, live.current.config.image.pauseImage]),
    users,
    log,
  };
}

/** The registries as the files of this node have them now. */
export async function readRegistries(config: Config): Promise<RegistriesConfig> {
  return await loadRegistriesConf(await registriesFiles(config));
}

/**
 * containers-registries.conf(5): the file that was named, else the user's own, else the node's; drop-ins of the directory that was
 * named, else the node's and then the user's.
 */
export async function registriesFiles({ invocation }: Pick<Config, "invocation">): Promise<RegistriesConfFiles> {
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
