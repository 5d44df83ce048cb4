import { access } from "node:fs/promises";
import { join } from "node:path";
import { type Config, version } from "../config/index.ts";
import { type ImageDeps, LayerFlights, PullsUnderway, pinnedBy, SharedWork } from "../images/index.ts";
import { hostPlatform } from "../oci/index.ts";
import {
  authFileSearchPath,
  candidatesForShortName,
  createCredentialSource,
  createRegistryClient,
  loadRegistriesConf,
  loadRegistriesD,
  type RegistriesConfFiles,
  type RegistriesConfig,
  type ShortNameMode,
} from "../registry/index.ts";
import type { Live } from "./live.ts";

/** Where the containers/* libraries look for certificates, the first directory with one for the registry counts. */
const certsDirs = ["/etc/containers/certs.d", "/etc/docker/certs.d"];

/** What the operations on images work with, from the configuration and the containers/* files of this node. */
export function composeImages(
  live: Pick<Live, "current">,
  parts: Pick<ImageDeps, "store" | "artifacts" | "users" | "news" | "log">,
): ImageDeps {
  const { store, artifacts, users, news, log } = parts;
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
    signaturePlaces: async () => await loadRegistriesD(await registriesD()),
    userAgent: `cri-o/${version} os/linux arch/${hostPlatform().architecture}`,
    log,
    env: process.env,
  });
  return {
    store,
    artifacts,
    registry,
    candidates: (name) => candidatesForShortName(registries(), name, modeOf(shortNameMode)),
    pulls: new SharedWork("pull"),
    layers: new LayerFlights(store, registry, log),
    underway: new PullsUnderway(),
    platform: hostPlatform(),
    progressTimeoutMs: pullProgressTimeoutMs,
    get policies() {
      const { signaturePolicy, signaturePolicyDir } = live.current.config.image;
      return { configured: signaturePolicy, namespacesDir: signaturePolicyDir, usual: usualPolicies() };
    },
    namespacedAuth: { directory: live.current.config.image.namespacedAuthDir, log },
    get decryptionKeysPath() {
      return live.current.config.runtime.decryptionKeysPath;
    },
    pinned: pinnedBy(() => [...live.current.config.image.pinnedImages, live.current.config.image.pauseImage]),
    users,
    ...(news && { news }),
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
  const home = ownContainersDir();
  const users = join(home, "registries.conf");
  const path = invocation.registriesConf || ((await isThere(users)) ? users : "/etc/containers/registries.conf");
  const dropInDirs =
    invocation.registriesConfDir === ""
      ? ["/etc/containers/registries.conf.d", join(home, "registries.conf.d")]
      : [invocation.registriesConfDir];
  return { path, dropInDirs, required: invocation.registriesConf !== "" };
}

/** containers-policy.json(5): the user's own, also root's, else the node's. */
function usualPolicies(): readonly string[] {
  return [join(ownContainersDir(), "policy.json"), "/etc/containers/policy.json"];
}

/** containers-registries.d(5): the user's own directory in place of the node's. */
async function registriesD(): Promise<string> {
  const users = join(ownContainersDir(), "registries.d");
  return (await isThere(users)) ? users : "/etc/containers/registries.d";
}

function ownContainersDir(): string {
  return join(process.env.HOME ?? "/root", ".config/containers");
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
