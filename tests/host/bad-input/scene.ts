/** A daemon with one good image, a client, and the requests that the tests of bad input spoil. */
import { type Cri, openCri } from "../../support/daemon/cri.ts";
import { type Daemon, type DaemonOptions, startDaemon } from "../../support/daemon/index.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";

export interface Scene extends AsyncDisposable {
  readonly daemon: Daemon;
  readonly cri: Cri;
}

/** Starts a daemon and pulls the busybox that the good requests use. */
export async function openScene(options: DaemonOptions = {}): Promise<Scene> {
  const daemon = await startDaemon(options);
  const cri = openCri(daemon.socket);
  try {
    await cri.image.pullImage({ image: { image: fixtureNames.busybox } });
  } catch (error) {
    cri.close();
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
  return {
    daemon,
    cri,
    async [Symbol.asyncDispose]() {
      cri.close();
      await daemon[Symbol.asyncDispose]();
    },
  };
}

export type RunPodRequest = NonNullable<Parameters<Cri["runtime"]["runPodSandbox"]>[0]>;
export type PodConfig = NonNullable<RunPodRequest["config"]>;
export type CreateRequest = NonNullable<Parameters<Cri["runtime"]["createContainer"]>[0]>;
export type ContainerConfig = NonNullable<CreateRequest["config"]>;

/** NamespaceMode of CRI. */
export const mode = { pod: 0, container: 1, node: 2, target: 3 } as const;

/** A pod with a network of its own and no infra process. Requests for the same name are for the same pod. */
export function goodPod(name: string, more: PodConfig = {}): PodConfig {
  return {
    metadata: { name, uid: `uid-${name}`, namespace: "bad-input", attempt: 0 },
    logDirectory: `/var/log/pods/${name}`,
    linux: { securityContext: { namespaceOptions: { pid: mode.container } } },
    ...more,
  };
}

/** The same on the host's network, which is quicker. */
export function hostNetworkPod(name: string, more: PodConfig = {}): PodConfig {
  return goodPod(name, {
    linux: { securityContext: { namespaceOptions: { network: mode.node, pid: mode.container } } },
    ...more,
  });
}

/** A container that sleeps. */
export function goodContainer(name: string, more: ContainerConfig = {}): ContainerConfig {
  return {
    metadata: { name, attempt: 0 },
    image: { image: fixtureNames.busybox },
    command: ["sleep", "1000"],
    logPath: `${name}.log`,
    linux: { securityContext: { namespaceOptions: { pid: mode.container } } },
    ...more,
  };
}

/** Runs a pod for as long as `use` takes. */
export async function withPod<T>(
  cri: Cri,
  request: RunPodRequest,
  use: (podSandboxId: string) => Promise<T>,
): Promise<T> {
  const { podSandboxId } = await cri.runtime.runPodSandbox(request);
  try {
    return await use(podSandboxId);
  } finally {
    await cri.runtime.removePodSandbox({ podSandboxId });
  }
}

/** Creates a container for as long as `use` takes; it is started unless `started` is false. */
export async function withContainer<T>(
  cri: Cri,
  request: CreateRequest & { readonly started?: boolean },
  use: (containerId: string) => Promise<T>,
): Promise<T> {
  const { started = true, ...create } = request;
  const { containerId } = await cri.runtime.createContainer(create);
  try {
    if (started) await cri.runtime.startContainer({ containerId });
    return await use(containerId);
  } finally {
    await cri.runtime.stopContainer({ containerId, timeout: 0n });
    await cri.runtime.removeContainer({ containerId });
  }
}

/** What a command prints in a container. */
export async function execText(cri: Cri, containerId: string, ...cmd: readonly string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await cri.runtime.execSync({ containerId, cmd, timeout: 20n });
  if (exitCode !== 0) throw new Error(`${cmd.join(" ")}: exit code ${exitCode}: ${stderr}${stdout}`);
  return stdout.toString();
}
