import { silentLogger } from "../base/index.ts";
import type { Container, Pod } from "../state/index.ts";
import type { Call } from "./call.ts";

/** For tests: a running container. */
export function aContainer(id: string, podId: string): Container {
  return {
    record: {
      id,
      podId,
      name: "k8s_app_web_default_u1_0",
      metadata: { name: "app", attempt: 0 },
      image: { requested: "busybox", name: "docker.io/library/busybox:latest", id: "d".repeat(64), repoDigests: [] },
      labels: { tier: "test" },
      annotations: { note: "x" },
      createdAtNs: 1n,
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
    state: { is: "running", startedAtNs: 2n, paused: false },
  };
}

/** For tests: a pod that is ready. */
export function aPod(id: string): Pod {
  return {
    record: {
      id,
      name: "k8s_web_default_u1_0",
      infraName: "k8s_POD_web_default_u1_0",
      metadata: { name: "web", uid: "u1", namespace: "default", attempt: 0 },
      labels: { app: "web" },
      annotations: {},
      createdAtNs: 1n,
      runtimeHandler: "",
      logDirectory: "",
      hostname: "web",
      cgroupParent: "",
      namespaceOptions: { network: "pod", pid: "container", ipc: "pod", targetId: "" },
      hostNetwork: false,
      privileged: false,
      portMappings: [],
      namespaces: {},
      shmPath: "",
      resolvPath: "",
      hostnamePath: "",
      mountPoint: "",
      hasInfraProcess: false,
      dir: "",
      runDir: "",
    },
    spec: { ociVersion: "1.2.0" },
    stopped: false,
    networkStopped: false,
    ips: ["10.0.0.7"],
    infra: aContainer(id, id),
  };
}

/** For tests: a call without a deadline. */
export function aCall(signal: AbortSignal): Call {
  return { signal, deadlineMs: undefined, log: silentLogger };
}
