/** A good request for every call, with as many fields filled in as can be, for the generator to spoil. */
import {
  ImageServiceDefinition,
  RuntimeServiceDefinition,
  SecurityProfile_ProfileType,
} from "../../../src/cri/generated/api.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { type ContainerConfig, goodContainer, goodPod, mode, type PodConfig } from "../bad-input/scene.ts";
import type { Random } from "./random.ts";

/** What good requests refer to. */
export interface Ids {
  readonly pod: string;
  /** Runs. */
  readonly running: string;
  /** Is not started. */
  readonly created: string;
  /** Runs, and may be stopped. */
  readonly doomed: string;
}

export interface GoodRequestOptions {
  readonly rpc: string;
  readonly ids: Ids;
  /** For what the request makes; no other request has it. */
  readonly name: string;
  readonly random: Random;
  /** Whether it shall be good but for one thing of which nothing comes: an image, or a runtime, that is not here. */
  readonly refused: boolean;
}

/** Folders of the host that requests may name; nothing outside of them may come of one. */
export const hostFolder = "/run/bad-input/fuzz";
export const logFolder = "/var/log/pods";

/** The bytes of a good request. */
export function goodRequest(options: GoodRequestOptions): Uint8Array {
  const { rpc } = options;
  const methods: Readonly<Record<string, unknown>> = {
    ...RuntimeServiceDefinition.methods,
    ...ImageServiceDefinition.methods,
  };
  const method = methods[rpc.charAt(0).toLowerCase() + rpc.slice(1)] as Method | undefined; // the generator's promise
  if (method === undefined) throw new Error(`the generated code has no ${rpc}`);
  return method.requestType.encode(method.requestType.fromPartial(partsOf(options) as never)).finish();
}

interface Method {
  readonly requestType: {
    encode(message: unknown): { finish(): Uint8Array };
    fromPartial(parts: never): unknown;
  };
}

function partsOf({ rpc, ids, name, random, refused }: GoodRequestOptions): object {
  const filter = { id: ids.pod, state: { state: 0 }, labelSelector: { app: "fuzz" } };
  const containerFilter = { ...filter, id: ids.running, state: { state: 1 }, podSandboxId: ids.pod };
  const image = {
    image: fixtureNames.configured,
    annotations: { a: "b" },
    userSpecifiedImage: "configured",
    runtimeHandler: "",
  };
  switch (rpc) {
    case "Version":
      return { version: "v1" };
    case "RunPodSandbox":
      return {
        config: random.below(4) === 0 ? networkPod(name) : fullPod(name),
        runtimeHandler: refused ? "nothing" : random.pick(["", "allowing"]),
      };
    case "StopPodSandbox":
    case "RemovePodSandbox":
      return { podSandboxId: "f".repeat(64) };
    case "PodSandboxStatus":
      return { podSandboxId: ids.pod, verbose: true };
    case "PodSandboxStats":
      return { podSandboxId: ids.pod };
    case "ListPodSandbox":
    case "StreamPodSandboxes":
    case "ListPodSandboxStats":
    case "StreamPodSandboxStats":
      return { filter };
    case "ListContainers":
    case "StreamContainers":
    case "ListContainerStats":
    case "StreamContainerStats":
      return { filter: containerFilter };
    case "CreateContainer":
      return {
        podSandboxId: ids.pod,
        config: refused
          ? goodContainer(name, { image: { image: "quay.io/bad-input/nothing:1" } })
          : random.below(3) === 0
            ? goodContainer(name)
            : fullContainer(name),
        sandboxConfig: goodPod("fuzz", { logDirectory: logFolder }),
      };
    case "StartContainer":
    case "ContainerStats":
    case "ReopenContainerLog":
      return { containerId: ids.running };
    case "ContainerStatus":
      return { containerId: ids.running, verbose: true };
    case "RemoveContainer":
      return { containerId: "f".repeat(64) };
    case "StopContainer":
      return { containerId: ids.doomed, timeout: 1n };
    case "UpdateContainerResources":
      return { containerId: ids.created, linux: resources, annotations: { a: "b" } };
    case "ExecSync":
      return { containerId: ids.running, cmd: ["true", "x"], timeout: 5n };
    case "Exec":
      return { containerId: ids.running, cmd: ["true"], tty: false, stdin: true, stdout: true, stderr: true };
    case "Attach":
      return { containerId: ids.running, tty: false, stdin: true, stdout: true, stderr: true };
    case "PortForward":
      return { podSandboxId: ids.pod, port: [80, 81] };
    case "UpdateRuntimeConfig":
      return { runtimeConfig: { networkConfig: { podCidr: "10.0.0.0/24" } } };
    case "Status":
      return { verbose: true };
    case "CheckpointContainer":
      return { containerId: ids.running, location: `${hostFolder}/${name}.tar`, timeout: 5n };
    case "CheckpointPod":
      return { podSandboxId: ids.pod };
    case "RestorePod":
      return {};
    case "GetContainerEvents":
    case "ListMetricDescriptors":
    case "ListPodSandboxMetrics":
    case "StreamPodSandboxMetrics":
    case "RuntimeConfig":
    case "ImageFsInfo":
      return {};
    case "UpdatePodSandboxResources":
      return { podSandboxId: ids.pod, overhead: resources, resources };
    case "ListImages":
    case "StreamImages":
      return { filter: { image } };
    case "ImageStatus":
      return { image, verbose: true };
    case "RemoveImage":
      return { image: { ...image, image: "quay.io/bad-input/nothing:1" } };
    case "PullImage":
      return {
        image,
        auth: { username: "user", password: "password", serverAddress: "quay.io" },
        sandboxConfig: goodPod("fuzz"),
      };
    default:
      throw new Error(`no good request for ${rpc}: add one`);
  }
}

const resources = {
  cpuPeriod: 100_000n,
  cpuQuota: 50_000n,
  cpuShares: 512n,
  memoryLimitInBytes: 64n << 20n,
  oomScoreAdj: 500n,
  cpusetCpus: "0",
  cpusetMems: "0",
  memorySwapLimitInBytes: 64n << 20n,
};

const noProfile = { profileType: SecurityProfile_ProfileType.Unconfined, localhostRef: "" };

/** On the host's network, so that it is quick. */
function fullPod(name: string): PodConfig {
  return goodPod(name, {
    hostname: "fuzz",
    logDirectory: `${logFolder}/fuzz/${name}`,
    dnsConfig: { servers: ["10.96.0.10"], searches: ["svc.cluster.local"], options: ["ndots:5"] },
    labels: { app: "fuzz" },
    annotations: { "example.org/note": "a b" },
    linux: {
      cgroupParent: "/fuzz",
      sysctls: { "kernel.shm_rmid_forced": "1" },
      overhead: resources,
      resources,
      securityContext: {
        namespaceOptions: { network: mode.node, pid: mode.container, ipc: mode.pod },
        runAsUser: { value: 1000n },
        runAsGroup: { value: 1000n },
        supplementalGroups: [2000n],
        seccomp: noProfile,
        apparmor: noProfile,
      },
    },
  });
}

/** With a network, and ports of the host. */
function networkPod(name: string): PodConfig {
  return goodPod(name, {
    portMappings: [{ protocol: 0, containerPort: 80, hostPort: 0, hostIp: "127.0.0.1" }],
    annotations: { "kubernetes.io/ingress-bandwidth": "1M" },
    linux: {
      sysctls: { "net.ipv4.ip_forward": "0" },
      securityContext: { namespaceOptions: { pid: mode.container } },
    },
  });
}

function fullContainer(name: string): ContainerConfig {
  return goodContainer(name, {
    image: { image: fixtureNames.busybox, userSpecifiedImage: "busybox" },
    args: ["x"],
    workingDir: "/tmp",
    envs: [{ key: "NAME", value: Buffer.from("value") }],
    mounts: [{ containerPath: "/data", hostPath: `${hostFolder}/data`, propagation: 0 }],
    devices: [{ containerPath: "/dev/fuzz", hostPath: "/dev/null", permissions: "rwm" }],
    labels: { app: "fuzz" },
    annotations: { "example.org/note": "a b" },
    logPath: `${name}.log`,
    linux: {
      resources,
      securityContext: {
        capabilities: { addCapabilities: ["NET_ADMIN"], dropCapabilities: ["MKNOD"] },
        namespaceOptions: { pid: mode.container },
        runAsUser: { value: 1000n },
        runAsGroup: { value: 1000n },
        supplementalGroups: [2000n],
        maskedPaths: ["/proc/kcore"],
        readonlyPaths: ["/proc/sys"],
        seccomp: noProfile,
        apparmor: noProfile,
      },
    },
  });
}
