import type { Container } from "../state/index.ts";

/** For tests: a running container; `overrides` are of its record. */
export function aContainer(overrides: Partial<Container["record"]> = {}): Container {
  return {
    record: {
      id: "c".repeat(64),
      podId: "b".repeat(64),
      name: "k8s_app_web_default_u1_0",
      metadata: { name: "app", attempt: 0 },
      image: { requested: "busybox", name: "docker.io/library/busybox:latest", id: "d".repeat(64), repoDigests: [] },
      labels: { tier: "test" },
      annotations: { note: "x" },
      createdAtNs: 1_700_000_000_000_000_000n,
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
      ...overrides,
    },
    spec: { ociVersion: "1.2.0" },
    state: { is: "running", startedAtNs: 1_700_000_001_000_000_000n, paused: false },
  };
}
