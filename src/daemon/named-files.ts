import { createPrivateKey, X509Certificate } from "node:crypto";
import { stat } from "node:fs/promises";
import { release } from "node:os";
import { errnoOf, Fault, reasonOf, silentLogger } from "../base/index.ts";
import { type Config, type Problem, type Source, usableHandlers, withSource } from "../config/index.ts";
import { loadTls, readBounded } from "../host/index.ts";
import { loadSeccompProfile } from "../security/index.ts";
import { checkDriver } from "../storage/index.ts";
import { seccompProfiles } from "./container-options.ts";
import { resolveHandlers } from "./handlers.ts";
import { readRegistries } from "./images.ts";
import { storeOptions } from "./node-store.ts";
import { tlsOptions } from "./streaming.ts";

/** What is wrong with files, directories and programs that a configuration names. */
export interface NamedFiles {
  /** What keeps the daemon from starting, or from doing what it was configured for. */
  readonly problems: readonly Problem[];
  /** What the daemon does without, such as a runtime handler that is not the default one. */
  readonly warnings: readonly Problem[];
}

const maxFileBytes = 4 << 20;

/**
 * Looks at everything that a configuration names on this host, as the daemon would when it starts, and asks runtimes what they can do.
 * Changes nothing.
 */
export async function checkNamedFiles(config: Config, sources: ReadonlyMap<string, Source>): Promise<NamedFiles> {
  const found = new Found(sources);
  const { api, runtime, image, metrics, network } = config;
  const tls = tlsOptions(api);
  if (tls !== undefined) await found.look("crio.api.stream_tls_cert", () => loadTls(tls));
  if (metrics.enableMetrics) await found.look("crio.metrics.metrics_cert", () => checkMetricsPair(metrics));
  await found.look("crio.storage_driver", async () => checkDriver(storeOptions(config, silentLogger)));
  await found.look("crio.runtime.seccomp_profile", () => seccompProfiles({ ...config, runtimes: new Map() }));
  if (runtime.privilegedSeccompProfile !== "") {
    await found.look("crio.runtime.privileged_seccomp_profile", () =>
      loadSeccompProfile(runtime.privilegedSeccompProfile),
    );
  }
  await found.lookAtHandlers(config);
  await found.look("--registries-conf", () => readRegistries(config));
  for (const [key, path] of [
    ["crio.image.global_auth_file", image.globalAuthFile],
    ["crio.image.pause_image_auth_file", image.pauseImageAuthFile],
    ["crio.image.signature_policy", image.signaturePolicy],
  ] as const) {
    if (path !== "") await found.look(key, async () => parseJson(path, await readNamed(path)));
  }
  for (const [key, path] of [
    ["crio.runtime.default_mounts_file", runtime.defaultMountsFile],
    ["crio.runtime.blockio_config_file", runtime.blockioConfigFile],
    ["crio.runtime.rdt_config_file", runtime.rdtConfigFile],
  ] as const) {
    if (path !== "") await found.look(key, () => readNamed(path));
  }
  for (const [key, paths] of [
    ["crio.root", [config.crio.root]],
    ["crio.runroot", [config.crio.runroot]],
    ["crio.log_dir", [config.crio.logDir]],
    ["crio.network.network_dir", [network.networkDir]],
    ["crio.network.plugin_dirs", network.pluginDirs],
    ["crio.runtime.hooks_dir", runtime.hooksDir],
    ["crio.runtime.container_exits_dir", [runtime.containerExitsDir]],
    ["crio.runtime.container_attach_socket_dir", [runtime.containerAttachSocketDir]],
    ["crio.runtime.namespaces_dir", [runtime.namespacesDir]],
  ] as const) {
    for (const path of paths) await found.look(key, () => checkDirectory(path));
  }
  return found;
}

class Found implements NamedFiles {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #sources: ReadonlyMap<string, Source>;

  constructor(sources: ReadonlyMap<string, Source>) {
    this.#sources = sources;
  }

  async look(key: string, work: () => Promise<unknown>, into = this.problems): Promise<void> {
    try {
      await work();
    } catch (error) {
      into.push(withSource({ key, stops: "start", message: reasonOf(error) }, this.#sources));
    }
  }

  /** Each handler by itself, so that each says what it has to. */
  async lookAtHandlers(config: Config): Promise<void> {
    const { usable, rejected } = usableHandlers(config);
    const { defaultRuntime } = config.runtime;
    const into = (name: string) => (name === defaultRuntime ? this.problems : this.warnings);
    // What the table alone shows of the default one is found when the configuration is validated.
    for (const { name, why } of rejected.filter((each) => each.name !== defaultRuntime)) {
      await this.look(keyOf(name), () => Promise.reject(new Fault("invalid", why)), this.warnings);
    }
    for (const [name, handler] of usable) {
      const alone: Config = {
        ...config,
        runtimes: new Map([[name, handler]]),
        runtime: { ...config.runtime, defaultRuntime: name },
      };
      await this.look(
        keyOf(name),
        () => resolveHandlers({ config: alone, log: silentLogger, kernelVersion: release() }),
        into(name),
      );
      const { seccompProfile, runtimeConfigPath } = handler;
      if (seccompProfile !== "") await this.look(keyOf(name), () => loadSeccompProfile(seccompProfile));
      if (runtimeConfigPath !== "") await this.look(keyOf(name), () => readNamed(runtimeConfigPath), into(name));
    }
  }
}

function keyOf(handler: string): string {
  return `crio.runtime.runtimes.${handler}`;
}

/** Both missing is fine: a pair is made then. */
async function checkMetricsPair({ metricsCert, metricsKey }: Config["metrics"]): Promise<void> {
  if (metricsCert === "" || metricsKey === "") return;
  const [cert, key] = await Promise.all([ifThere(metricsCert), ifThere(metricsKey)]);
  if (cert === undefined && key === undefined) return;
  if (cert === undefined)
    throw new Fault("not-found", `metrics_cert ${metricsCert} is missing, and metrics_key ${metricsKey} is there`);
  if (key === undefined)
    throw new Fault("not-found", `metrics_key ${metricsKey} is missing, and metrics_cert ${metricsCert} is there`);
  const isPair = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  if (!isPair) throw new Fault("invalid", `the key ${metricsKey} is not that of the certificate ${metricsCert}`);
}

async function ifThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readBounded(path, maxFileBytes);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function readNamed(path: string): Promise<Buffer> {
  try {
    return await readBounded(path, maxFileBytes);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") throw new Fault("not-found", `${path} does not exist`, { cause: error });
    throw error;
  }
}

function parseJson(path: string, bytes: Buffer): void {
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString());
  } catch (error) {
    throw new Fault("invalid", `${path} is no JSON: ${reasonOf(error)}`, { cause: error });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new Fault("invalid", `${path} is no JSON object`);
}

/** One that is missing is made, or has nothing in it. */
async function checkDirectory(path: string): Promise<void> {
  try {
    if (!(await stat(path)).isDirectory()) throw new Fault("invalid", `${path} is not a directory`);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
