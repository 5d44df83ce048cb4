import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { crioAnnotation, ociVersion, type RuntimeSpec } from "../oci/index.ts";
import type { Container, ContainerRecord } from "./container.ts";
import { containerAnnotations, containerRecordFrom } from "./container-codec.ts";
import type { PodRecord } from "./pod.ts";
import { podAnnotations, podRecordFrom } from "./pod-codec.ts";
import { parseStateJson, stateJson } from "./state-json.ts";
import { parseStorageMetadata, storageMetadataJson } from "./storage-metadata.ts";

const podId = "a".repeat(64);
const containerId = "b".repeat(64);
const dirs = { dir: "/store/x/userdata", runDir: "/run/x/userdata" };

const pod: PodRecord = {
  id: podId,
  name: "k8s_web_default_u1_2",
  infraName: "k8s_POD_web_default_u1_2",
  metadata: { name: "web", uid: "u1", namespace: "default", attempt: 2 },
  labels: { app: "web" },
  annotations: { "example.com/note": "line\nbreak", [crioAnnotation.name]: "k8s_evil_default_u1_0" },
  createdAtNs: 1_700_000_000_123_456_789n,
  runtimeHandler: "runc",
  logDirectory: "/var/log/pods/default_web_u1",
  hostname: "web",
  cgroupParent: "/kubepods/pod1",
  namespaceOptions: {
    network: "pod",
    pid: "container",
    ipc: "pod",
    targetId: "",
    userns: { mode: "pod", uids: [{ hostId: 65536, containerId: 0, length: 65536 }], gids: [] },
  },
  hostNetwork: false,
  privileged: true,
  portMappings: [{ protocol: "UDP", containerPort: 53, hostPort: 5353, hostIp: "127.0.0.1" }],
  namespaces: { net: "/var/run/netns/a", ipc: "/var/run/ipcns/a", uts: "/var/run/utsns/a" },
  shmPath: "/run/x/userdata/shm",
  resolvPath: "/run/x/userdata/resolv.conf",
  hostnamePath: "/run/x/userdata/hostname",
  mountPoint: "/store/overlay/l/merged",
  hasInfraProcess: false,
  ...dirs,
};

const container: ContainerRecord = {
  id: containerId,
  podId,
  name: "k8s_app_web_default_u1_0",
  metadata: { name: "app", attempt: 0 },
  image: {
    requested: "busybox",
    name: "docker.io/library/busybox:latest",
    id: "c".repeat(64),
    repoDigests: ["r@sha256:1"],
  },
  labels: {},
  annotations: { a: "b" },
  createdAtNs: 1_700_000_001_000_000_000n,
  logPath: "/var/log/pods/default_web_u1/app/0.log",
  tty: true,
  stdin: false,
  stdinOnce: false,
  mountPoint: "/store/overlay/m/merged",
  volumes: [
    {
      containerPath: "/data",
      hostPath: "/srv",
      readonly: true,
      recursiveReadOnly: false,
      propagation: "host-to-container",
      selinuxRelabel: false,
    },
  ],
  stopSignal: "SIGQUIT",
  runtimeHandler: "runc",
  runtimePath: "",
  privileged: false,
  ...dirs,
};

function specWith(annotations: Readonly<Record<string, string>>): RuntimeSpec {
  const namespaces = [
    { type: "network", path: "/var/run/netns/a" },
    { type: "ipc", path: "/var/run/ipcns/a" },
    { type: "uts", path: "/var/run/utsns/a" },
    { type: "mount" },
  ] as const;
  return { ociVersion, annotations, linux: { namespaces } };
}

describe("the record of a pod in config.json", () => {
  const extras = { image: "pause", imageName: "", seccompProfile: "", logPath: `${pod.logDirectory}/${podId}.log` };

  it("comes back as it was written", () => {
    assert.deepEqual(podRecordFrom(podId, specWith(podAnnotations(pod, extras)), dirs), pod);
  });

  it("has the words that CRI-O looks for", () => {
    const written = podAnnotations(pod, extras);
    assert.equal(written["io.kubernetes.cri-o.Name"], "k8s_web_default_u1_2");
    assert.equal(
      written["io.kubernetes.cri-o.Metadata"],
      '{"name":"web","uid":"u1","namespace":"default","attempt":2}',
    );
    assert.equal(
      written["io.kubernetes.cri-o.NamespaceOptions"],
      '{"pid":1,"userns_options":{"uids":[{"host_id":65536,"length":65536}]}}',
    );
    assert.equal(
      written["io.kubernetes.cri-o.PortMappings"],
      '[{"HostPort":5353,"ContainerPort":53,"Protocol":"UDP","HostIP":"127.0.0.1"}]',
    );
    assert.equal(written["io.kubernetes.cri-o.Created"], "2023-11-14T22:13:20.123456789Z");
    assert.equal(written["spoofed.crio.io"], "true");
    assert.equal(written["io.container.manager"], "cri-o");
  });

  it("is refused as corrupt, by the annotation's name, when something it needs is missing or unreadable", () => {
    const written = podAnnotations(pod, extras);
    for (const name of [crioAnnotation.name, crioAnnotation.metadata, crioAnnotation.namespaceOptions]) {
      for (const text of ["", "{"]) {
        if (name === crioAnnotation.name && text !== "") continue;
        assert.throws(
          () => podRecordFrom(podId, specWith({ ...written, [name]: text }), dirs),
          (error) => isFault(error, "corrupt") && error.message.includes(name),
        );
      }
    }
  });
});

describe("the record of a container in config.json", () => {
  it("comes back as it was written", () => {
    const written = containerAnnotations(container, { pod, podIps: ["10.0.0.2", "fd00::2"], seccompProfile: "" });
    assert.equal(written["io.kubernetes.cri-o.IP.1"], "fd00::2");
    const place = { ...dirs, runtimeHandler: "runc", privileged: false };
    assert.deepEqual(containerRecordFrom(containerId, specWith(written), place), container);
  });
});

describe("state.json", () => {
  const base = { record: container, spec: specWith({}), init: { pid: 42, startTime: "777" } };

  it("brings every state back", () => {
    const states: Container["state"][] = [
      { is: "created" },
      { is: "running", startedAtNs: 5n, paused: false },
      { is: "running", startedAtNs: 5n, paused: true },
      { is: "exited", startedAtNs: 5n, finishedAtNs: 9n, exitCode: 137, oomKilled: true, error: "why" },
      { is: "unknown", startedAtNs: 5n, why: "nobody saw" },
    ];
    for (const state of states) {
      const monitor = { pid: 41, startTime: "776" };
      const read = parseStateJson(Buffer.from(stateJson({ ...base, state, monitor })));
      assert.deepEqual(read, { state, init: base.init, monitor });
    }
  });

  it("of CRI-O is understood: Go's zero time, no exit code before the end", () => {
    const text = `{"ociVersion":"1.2.1","id":"x","status":"running","pid":7,"bundle":"/b","created":"2026-01-02T03:04:05.6Z",
      "started":"2026-01-02T03:04:06+01:00","finished":"0001-01-01T00:00:00Z","initPid":7,"initStartTime":"99",
      "checkpointedTime":"0001-01-01T00:00:00Z"}`;
    assert.deepEqual(parseStateJson(Buffer.from(text)), {
      state: { is: "running", startedAtNs: 1_767_319_446_000_000_000n, paused: false },
      init: { pid: 7, startTime: "99" },
    });
  });

  it("that is no such document is refused", () => {
    for (const text of ["", "[]", '{"status":5}', '{"status":"stopped","started":"yesterday"}']) {
      assert.throws(
        () => parseStateJson(Buffer.from(text)),
        (error) => isFault(error, "invalid"),
      );
    }
  });
});

describe("the store's metadata", () => {
  it("tells ours from others'", () => {
    const metadata = {
      podName: "p",
      podId,
      imageName: "i",
      imageId: "c".repeat(64),
      name: "k8s_n",
      metadataName: "n",
      uid: "u",
      namespace: "ns",
      attempt: 3,
      createdAtSeconds: 12,
      isPod: true,
      privileged: false,
    };
    assert.deepEqual(parseStorageMetadata(storageMetadataJson(metadata)), metadata);
    for (const others of ["", "podman's own", '{"image-name":"x"}', '{"pod-name":"","pod-id":""}', "[]"]) {
      assert.equal(parseStorageMetadata(others), undefined);
    }
  });
});
