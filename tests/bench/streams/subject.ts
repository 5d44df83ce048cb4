import { mkdir } from "node:fs/promises";
import { NamespaceMode } from "../../../src/cri/generated/api.ts";
import { type Cri, openCri } from "../../support/daemon/cri.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { startPodSource } from "./pod-source.ts";

const namespaces = { network: NamespaceMode.POD, pid: NamespaceMode.CONTAINER, ipc: NamespaceMode.POD };

/** A runtime that is measured. */
export interface Subject extends AsyncDisposable {
  readonly name: string;
  readonly cri: Cri;
  readonly pod: string;
  readonly container: string;
  /** A port on which the pod sends zeros without end. */
  readonly port: number;
}

/** Runs a pod with an idle container in a daemon, by one OCI runtime. */
export async function subject(name: string, socket: string, runtimeHandler: string): Promise<Subject> {
  const cri = openCri(socket);
  const image = { image: fixtureNames.busybox };
  await cri.image.pullImage({ image });
  const logDirectory = `/var/log/pods/bench-${name}-${runtimeHandler}`;
  await mkdir(logDirectory, { recursive: true });
  const sandboxConfig = {
    metadata: { name: `bench-${runtimeHandler}`, namespace: "bench", uid: `${name}-${runtimeHandler}`, attempt: 0 },
    logDirectory,
    linux: { securityContext: { namespaceOptions: namespaces } },
  };
  const { podSandboxId: pod } = await cri.runtime.runPodSandbox({ config: sandboxConfig, runtimeHandler });
  const { containerId: container } = await cri.runtime.createContainer({
    podSandboxId: pod,
    sandboxConfig,
    config: {
      metadata: { name: "idle", attempt: 0 },
      image,
      command: ["sleep", "1000000"],
      logPath: "idle.log",
      linux: { securityContext: { namespaceOptions: namespaces } },
    },
  });
  await cri.runtime.startContainer({ containerId: container });
  const { info } = await cri.runtime.containerStatus({ containerId: container, verbose: true });
  const source = await startPodSource(pidIn(JSON.stringify(info)));
  return {
    name,
    cri,
    pod,
    container,
    port: source.port,
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]();
      await cri.runtime.stopContainer({ containerId: container, timeout: 0n });
      await cri.runtime.stopPodSandbox({ podSandboxId: pod });
      await cri.runtime.removePodSandbox({ podSandboxId: pod });
      cri.close();
    },
  };
}

/** Both put JSON with the pid into what they tell besides the status. */
function pidIn(info: string): number {
  const pid = Number(/\\?"pid\\?":\s*(\d+)/.exec(info)?.[1]);
  if (!(pid > 1)) throw new Error(`no pid in ${info}`);
  return pid;
}
