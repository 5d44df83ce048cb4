import { type Clock, silentLogger } from "../base/index.ts";
import type { CgroupManager, CgroupReadings, ReadingArea } from "../cgroups/index.ts";
import { NanoCores, WritableLayers } from "../containers/index.ts";
import type { InterfaceCounters } from "../host/index.ts";
import { type Container, Containers, type Pod, Pods } from "../state/index.ts";
import type { PodStatsDeps } from "./stats.ts";

export const podId = "b".repeat(64);
export const containerId = "c".repeat(64);
export const nowNs = 1_700_000_000_500_000_000n;

/** For tests: a running container of the pod below. */
export function aContainer(overrides: Partial<Container> = {}, id = containerId): Container {
  return {
    record: {
      id,
      podId,
      name: "k8s_app_web_default_u1_0",
      metadata: { name: "app", attempt: 0 },
      image: { requested: "busybox", name: "docker.io/library/busybox:latest", id: "d".repeat(64), repoDigests: [] },
      labels: {},
      annotations: {},
      createdAtNs: 1_600_000_000_000_000_000n,
      logPath: "",
      tty: false,
      stdin: false,
      stdinOnce: false,
      mountPoint: "/store/merged",
      volumes: [],
      stopSignal: "",
      runtimeHandler: "",
      runtimePath: "",
      privileged: false,
      dir: "",
      runDir: "",
    },
    spec: { ociVersion: "1.2.0" },
    state: { is: "running", startedAtNs: 0n, paused: false },
    ...overrides,
  };
}

/** For tests: a pod that is ready. */
export function aPod(overrides: Partial<Pod["record"]> = {}): Pod {
  return {
    record: {
      id: podId,
      name: "k8s_web_default_u1_0",
      infraName: "k8s_POD_web_default_u1_0",
      metadata: { name: "web", uid: "u1", namespace: "default", attempt: 0 },
      labels: {},
      annotations: {},
      createdAtNs: 1_600_000_000_000_000_000n,
      runtimeHandler: "",
      logDirectory: "",
      hostname: "web",
      cgroupParent: "/kubepods/pod1",
      namespaceOptions: { network: "pod", pid: "container", ipc: "pod", targetId: "" },
      hostNetwork: false,
      privileged: false,
      portMappings: [],
      namespaces: { net: "/run/netns/b" },
      shmPath: "",
      resolvPath: "",
      hostnamePath: "",
      mountPoint: "",
      hasInfraProcess: false,
      dir: "",
      runDir: "",
      ...overrides,
    },
    spec: { ociVersion: "1.2.0" },
    stopped: false,
    networkStopped: false,
    ips: [],
    infra: aContainer(),
  };
}

export function anInterface(name: string, overrides: Partial<InterfaceCounters> = {}): InterfaceCounters {
  return {
    name,
    index: 1,
    rxBytes: 1n,
    rxPackets: 2n,
    rxErrors: 3n,
    rxDropped: 4n,
    txBytes: 5n,
    txPackets: 6n,
    txErrors: 7n,
    txDropped: 8n,
    ...overrides,
  };
}

/** Readings of which a test sets some; none are there to begin with. */
export function emptyReadings(): CgroupReadings {
  return {
    cpu: undefined,
    memory: undefined,
    memoryHistory: undefined,
    swap: undefined,
    pids: undefined,
    hugetlb: [],
    io: [],
    pressure: undefined,
  };
}

/** What a test may change about the machine below. */
export interface FakeMachine {
  pod: CgroupReadings;
  container: CgroupReadings;
  interfaces: readonly InterfaceCounters[] | Error;
  monotonicNs: bigint;
  /** The netns paths that were looked into, and how often a cgroup was read. */
  readonly netnsPaths: string[];
  cgroupReads: number;
  readonly warnings: string[];
}

/** For tests: a machine with the pod above and its container, whose readings the test sets. */
export function fakeMachine() {
  const machine: FakeMachine = {
    pod: emptyReadings(),
    container: emptyReadings(),
    interfaces: [],
    monotonicNs: 0n,
    netnsPaths: [],
    cgroupReads: 0,
    warnings: [],
  };
  const log = { ...silentLogger, warn: (message: string) => machine.warnings.push(message) };
  const clock: Clock = { nowNs: () => nowNs };
  const pods = new Pods();
  const containers = new Containers();
  const cgroups: PodStatsDeps["cgroups"] = {
    podCgroup: (parent) => parent as ReturnType<CgroupManager["containerCgroup"]>, // a path already, in these tests
    containerCgroup: (parent, id) => `${parent}/crio-${id}` as ReturnType<CgroupManager["containerCgroup"]>,
    readings: async <A extends ReadingArea>(path: string, areas: readonly A[]) => {
      machine.cgroupReads += 1;
      const all = path.includes("/crio-") ? machine.container : machine.pod;
      return Object.fromEntries(areas.map((area) => [area, all[area]])) as Pick<CgroupReadings, A>;
    },
    processes: async () => [process.pid],
  };
  const namespaces: PodStatsDeps["namespaces"] = {
    inNetns: async (path) => {
      machine.netnsPaths.push(path);
      if (machine.interfaces instanceof Error) throw machine.interfaces;
      return machine.interfaces;
    },
  };
  const measure = async () => ({ bytes: 4096n, inodes: 2n, apparentBytes: 0n });
  const deps: PodStatsDeps = {
    pods,
    containers,
    creations: { isUnclaimed: (id) => id.startsWith("f") },
    cgroups,
    namespaces,
    clock,
    log,
    nanoCores: new NanoCores(),
    layers: new WritableLayers({ measure, isLive: () => true, clock, log }),
    monotonicNs: () => machine.monotonicNs,
  };
  return { machine, deps, measure, pods, containers };
}
