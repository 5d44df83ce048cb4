/** Every field of CreateContainer that can be missing or malformed (reference: cri.md 3). */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { mustRun } from "../../support/programs.ts";
import { pushImage } from "../bad-input/push.ts";
import { expectRefusal, leavesNothing, type Refusal } from "../bad-input/refusal.ts";
import {
  type ContainerConfig,
  type CreateRequest,
  goodContainer,
  goodPod,
  hostNetworkPod,
  mode,
  type PodConfig,
  type Scene,
  withContainer,
} from "../bad-input/scene.ts";

/** The pods that the containers are for. */
const pods = {
  plain: { config: goodPod("fields-plain"), runtimeHandler: "" },
  privileged: {
    config: hostNetworkPod("fields-privileged", {
      linux: { securityContext: { privileged: true, namespaceOptions: { network: mode.node, pid: mode.container } } },
    }),
    runtimeHandler: "",
  },
  /** Of a runtime that says nothing of its features. */
  featureless: { config: hostNetworkPod("fields-featureless"), runtimeHandler: "featureless" },
  masked: {
    config: hostNetworkPod("fields-umask", { annotations: { "umask.crio.io": "0999" } }),
    runtimeHandler: "allowing",
  },
} satisfies Record<string, { readonly config: PodConfig; readonly runtimeHandler: string }>;

interface BadContainer extends Refusal {
  readonly what: string;
  readonly pod?: keyof typeof pods;
  readonly config: ContainerConfig | undefined;
  /** The rest of the request, where the flaw is there. */
  readonly request?: Partial<CreateRequest>;
  /** The configuration without the flaw. Default: a good container. */
  readonly mended?: ContainerConfig;
}

const name = "bad-fields";
const container = (more: ContainerConfig = {}): ContainerConfig => goodContainer(name, more);
type Security = NonNullable<NonNullable<ContainerConfig["linux"]>["securityContext"]>;
const secured = (security: Security): ContainerConfig =>
  container({ linux: { securityContext: { namespaceOptions: { pid: mode.container }, ...security } } });
const limited = (resources: NonNullable<ContainerConfig["linux"]>["resources"]): ContainerConfig =>
  container({ linux: { resources, securityContext: { namespaceOptions: { pid: mode.container } } } });
type Mount = NonNullable<ContainerConfig["mounts"]>[number];
const mounted = (mount: Mount): ContainerConfig =>
  container({ mounts: [{ containerPath: "/data", hostPath: "/run/bad-input/private", ...mount }] });

const privateMount = "/run/bad-input/private";
const slaveMount = "/run/bad-input/slave";

const missing: readonly BadContainer[] = [
  { what: "no config", config: undefined, details: "config is nil" },
  { what: "no image", config: container({ image: undefined }), details: "config image is nil" },
  {
    what: "no sandbox config, before the container's name is looked at",
    config: container({ metadata: undefined }),
    request: { sandboxConfig: undefined },
    details: "sandbox config is nil",
  },
  {
    what: "no sandbox metadata",
    config: container(),
    request: { sandboxConfig: { logDirectory: "/var/log/pods/x" } },
    details: "sandbox config metadata is nil",
  },
  {
    what: "no metadata",
    config: container({ metadata: undefined }),
    details: "setting container config: metadata is nil",
  },
  {
    what: "no name",
    config: container({ metadata: { name: "", attempt: 0 } }),
    details: "setting container config: name is empty",
  },
  {
    what: "an empty image",
    config: container({ image: { image: "" } }),
    details: "CreateContainerRequest.ContainerConfig.Image.Image is empty",
  },
  {
    what: "an image that is not here",
    config: container({ image: { image: "docker.io/library/nothing:1" } }),
    details: /docker\.io\/library\/nothing:1/,
  },
  {
    what: "an image of which no registry could have heard",
    config: container({ image: { image: "Not An:Image:Name" } }),
    details: /Not An:Image:Name/,
  },
];

const ofSecurity: readonly BadContainer[] = [
  {
    what: "a privileged container in a pod that is not",
    config: secured({ privileged: true }),
    details: "no privileged container allowed in sandbox",
  },
  {
    what: "a capability to add that the kernel has not",
    config: secured({ capabilities: { addCapabilities: ["NET_NONSENSE"] } }),
    details: 'unknown capability "CAP_NET_NONSENSE" to add',
    mended: secured({ capabilities: { addCapabilities: ["net_admin", "CAP_SYS_TIME"] } }),
  },
  {
    what: "a capability to drop that the kernel has not",
    config: secured({ capabilities: { dropCapabilities: ["ALL", "cap_nonsense"] } }),
    details: /^failed to drop cap CAP_NONSENSE/,
    mended: secured({ capabilities: { dropCapabilities: ["all"] } }),
  },
  {
    what: "a group without a user",
    config: secured({ runAsGroup: { value: 1000n } }),
    details: "user group is specified without user or username",
    mended: secured({ runAsUser: { value: 1000n }, runAsGroup: { value: 1000n } }),
  },
  {
    what: "a user that the image does not know",
    config: secured({ runAsUsername: "nobody-here" }),
    details: "get exec user: unable to find user nobody-here: no matching entries in passwd file",
    mended: secured({ runAsUsername: "nobody" }),
  },
  {
    what: "a policy for supplemental groups that does not exist",
    config: secured({ supplementalGroupsPolicy: 2 as 0 }),
    details: "not implemented in this CRI-O release: SupplementalGroupsPolicy=2",
    mended: secured({ supplementalGroupsPolicy: 1, supplementalGroups: [7n] }),
  },
  {
    what: "the pod's PID namespace, where the pod has none",
    config: secured({ namespaceOptions: { pid: mode.pod } }),
    details:
      "pod level PID namespace requested for the container, but pod sandbox was not similarly configured, and does not have an infra container",
  },
  {
    what: "the PID namespace of nobody",
    config: secured({ namespaceOptions: { pid: mode.target } }),
    details: "target PID namespace specified with invalid target ID",
  },
  {
    what: "the PID namespace of a container that does not exist",
    config: secured({ namespaceOptions: { pid: mode.target, targetId: "f".repeat(64) } }),
    details: "target PID namespace specified with invalid target ID",
  },
  {
    what: "a seccomp profile of an unknown kind",
    config: secured({ seccomp: { profileType: 9 as 0, localhostRef: "" } }),
    details: "unknown security profile type 9",
  },
  {
    what: "a seccomp profile that is not there",
    config: secured({ seccomp: { profileType: 2, localhostRef: "/no/such/profile.json" } }),
    details: /\/no\/such\/profile\.json/,
  },
  {
    what: "an umask of the pod that is none",
    pod: "masked",
    config: container(),
    details: "invalid umask string 0999",
  },
];

const ofProcess: readonly BadContainer[] = [
  {
    what: "a HOME of two lines",
    config: container({ envs: [{ key: "HOME", value: Buffer.from("/root\nevil:x:0:0::/:/bin/sh") }] }),
    details: "invalid HOME environment; newline not allowed",
    mended: container({ envs: [{ key: "HOME", value: Buffer.from("/root") }] }),
  },
  {
    what: "a stop signal that does not exist",
    config: container({ stopSignal: 999 as 0 }),
    details: "unknown stop signal 999",
    mended: container({ stopSignal: 15 }),
  },
  {
    what: "a relative working directory",
    config: container({ workingDir: "work" }),
    details: 'the working directory "work" is not absolute',
    mended: container({ workingDir: "/work" }),
  },
  {
    what: "a working directory that is a file of the image",
    config: container({ workingDir: "/etc/passwd" }),
    details: /\/etc\/passwd.*not a directory/,
  },
  ...["/proc/self/fd/7", "/proc/self/../self/fd/7/", "/proc/1/root/tmp", "/dev/fd/8/../.."].map((workingDir) => ({
    what: `the working directory ${workingDir}, which leads into a process`,
    config: container({ workingDir }),
    details: /leads into a process$/,
  })),
  {
    what: "a label of 4097 bytes",
    config: container({ labels: { ["k".repeat(97)]: "v".repeat(4000) } }),
    details: "label key and value greater than maximum size (4096 bytes), key: kkkkkkkkkk",
    mended: container({ labels: { ["k".repeat(96)]: "v".repeat(4000) } }),
  },
  {
    what: "a log path out of the pod's log directory",
    config: container({ logPath: "../../../../etc/cron.d/evil" }),
    details: /log directory/,
  },
];

const ofResources: readonly BadContainer[] = [
  {
    what: "less memory than a runtime needs to start",
    config: limited({ memoryLimitInBytes: 1024n }),
    details: /^set memory limit 1024 too low; should be at least \d+ bytes$/,
    mended: limited({ memoryLimitInBytes: 64n << 20n }),
  },
  {
    what: "an OOM score beyond 1000",
    config: limited({ oomScoreAdj: 1001n }),
    details: /^oom_score_adj 1001 is not between -1000 and 1000/,
    mended: limited({ oomScoreAdj: 1000n }),
  },
  {
    what: "processors that are no list",
    config: limited({ cpusetCpus: "0\n1" }),
    details: /^cpuset_cpus "0\\n1" is not a list such as 0-3,7/,
    mended: limited({ cpusetCpus: "0" }),
  },
  {
    what: "a processor that the machine has not",
    config: limited({ cpusetCpus: "4000" }),
    details: /^container create failed: /,
  },
  { what: "a negative period", config: limited({ cpuPeriod: -1n }), details: "cpu_period -1 is negative" },
];

const ofMounts: readonly BadContainer[] = [
  { what: "a mount without a place", config: mounted({ containerPath: "" }), details: "mount.ContainerPath is empty" },
  { what: "a mount without a source", config: mounted({ hostPath: "" }), details: "mount.HostPath is empty" },
  { what: "a relative source", config: mounted({ hostPath: "etc" }), details: /mount\.HostPath etc is not absolute/ },
  {
    what: "a source that must not become a directory",
    config: mounted({ hostPath: "/run/bad-input/absent" }),
    details: "cannot mount /run/bad-input/absent: path does not exist and will cause issues as a directory",
  },
  {
    what: "host-to-container propagation from a private mount",
    config: mounted({ propagation: 1 }),
    details: `path "${privateMount}" is mounted on "${privateMount}" but it is not a shared or slave mount`,
    mended: mounted({ propagation: 1, hostPath: slaveMount }),
  },
  {
    what: "bidirectional propagation to a slave",
    config: mounted({ propagation: 2, hostPath: slaveMount }),
    details: `path "${slaveMount}" is mounted on "${slaveMount}" but it is not a shared mount`,
    mended: mounted({ propagation: 2, hostPath: "/run/bad-input" }),
  },
  {
    what: "recursive read-only, but writable",
    config: mounted({ recursiveReadOnly: true }),
    details: `recursive read-only mount conflicts with read-write mount for hostPath "${privateMount}"`,
    mended: mounted({ recursiveReadOnly: true, readonly: true }),
  },
  {
    what: "recursive read-only with propagation",
    config: mounted({ recursiveReadOnly: true, readonly: true, propagation: 1, hostPath: slaveMount }),
    details: new RegExp(`^recursive read-only mount requires private propagation for hostPath "${slaveMount}", got: `),
  },
  {
    what: "recursive read-only from a runtime that cannot",
    pod: "featureless",
    config: mounted({ recursiveReadOnly: true, readonly: true }),
    details: `recursive read-only mount support is not available for hostPath "${privateMount}"`,
  },
  {
    what: "mapped ids from a runtime that cannot",
    pod: "featureless",
    config: mounted({ uidMappings: [{ hostId: 1000, containerId: 0, length: 10 }] }),
    details: "idmap mounts specified but OCI runtime does not support them. Perhaps the OCI runtime is too old",
  },
  {
    what: "a device that the host has not",
    config: container({ devices: [{ hostPath: "/dev/nope", containerPath: "/dev/nope", permissions: "rwm" }] }),
    details: /\/dev\/nope/,
  },
  {
    what: "a device over one of the host's in a privileged container",
    pod: "privileged",
    config: {
      ...secured({ privileged: true }),
      devices: [{ hostPath: "/dev/null", containerPath: "/dev/zero", permissions: "r" }],
    },
    details: "privileged container was configured with a device container path that already exists on the host",
    mended: {
      ...secured({ privileged: true }),
      devices: [{ hostPath: "/dev/null", containerPath: "/dev/null-too", permissions: "r" }],
    },
  },
  {
    what: "permissions for a device that do not exist",
    config: container({ devices: [{ hostPath: "/dev/null", containerPath: "/dev/x", permissions: "rwmx;" }] }),
    details: /rwmx;/,
    mended: container({ devices: [{ hostPath: "/dev/null", containerPath: "/dev/x", permissions: "rwm" }] }),
  },
];

const swapIsCounted =
  existsSync("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes") || existsSync("/sys/fs/cgroup/init/memory.swap.max");

export function containerFields(scene: () => Scene): void {
  describe("CreateContainer", () => {
    const ids = new Map<keyof typeof pods, string>();
    before(async () => {
      await mkdir(privateMount, { recursive: true });
      await mkdir(slaveMount);
      await mustRun(["mount", "-t", "tmpfs", "bad-input", privateMount]);
      await mustRun(["mount", "--make-private", privateMount]);
      // A bind mount of a shared mount is its peer, and can become its slave.
      await mustRun(["mount", "--bind", "/run/bad-input", slaveMount]);
      await mustRun(["mount", "--make-slave", slaveMount]);
      for (const [kind, request] of Object.entries(pods)) {
        const { podSandboxId } = await scene().cri.runtime.runPodSandbox(request);
        ids.set(kind as keyof typeof pods, podSandboxId); // a key of `pods`, by the loop
      }
    });
    after(async () => {
      for (const podSandboxId of ids.values()) await scene().cri.runtime.removePodSandbox({ podSandboxId });
      for (const path of [privateMount, slaveMount]) await mustRun(["umount", path]);
    });
    const requestFor = (kind: keyof typeof pods, config: ContainerConfig | undefined): CreateRequest => ({
      podSandboxId: ids.get(kind) ?? "",
      sandboxConfig: pods[kind].config,
      config,
    });

    for (const bad of [...missing, ...ofSecurity, ...ofProcess, ...ofResources, ...ofMounts]) {
      const { what, pod = "plain", config, request, mended = container(), ...refusal } = bad;
      it(`refuses ${what}, leaves nothing, and creates the container without that`, async () => {
        const { cri } = scene();
        const asked = { ...requestFor(pod, config), ...request };
        await leavesNothing(() => expectRefusal(cri.runtime.createContainer(asked), refusal));
        const good = requestFor(pod === "masked" ? "plain" : pod, mended);
        await leavesNothing(() => withContainer(cri, { ...good, started: false }, async () => {}));
      });
    }

    it("refuses less swap than memory", { skip: !swapIsCounted && "this kernel does not count swap" }, async () => {
      const { cri } = scene();
      const limit = 64n << 20n;
      const config = limited({ memoryLimitInBytes: limit, memorySwapLimitInBytes: 1n << 20n });
      await leavesNothing(() =>
        expectRefusal(cri.runtime.createContainer(requestFor("plain", config)), {
          details:
            /^container [0-9a-f]{64} create failed because memory swap limit \(1048576\) cannot be lower than memory limit \(67108864\)$/,
        }),
      );
    });

    it("refuses an image without a command, unless the request has one", async () => {
      const { cri } = scene();
      const image = await pushImage("no-command", { layers: [[{ is: "directory", path: "empty" }]] });
      await cri.image.pullImage({ image: { image } });
      const config = container({ image: { image }, command: [] });
      await leavesNothing(() =>
        expectRefusal(cri.runtime.createContainer(requestFor("plain", config)), { details: "no command specified" }),
      );
      await cri.image.removeImage({ image: { image } });
    });

    it("refuses a container in a pod that was stopped", async () => {
      const { runtime } = scene().cri;
      const sandboxConfig = hostNetworkPod("fields-stopped");
      await leavesNothing(async () => {
        const { podSandboxId } = await runtime.runPodSandbox({ config: sandboxConfig });
        await runtime.stopPodSandbox({ podSandboxId });
        const details = `CreateContainer failed as the sandbox was stopped: ${podSandboxId}`;
        await expectRefusal(runtime.createContainer({ podSandboxId, sandboxConfig, config: container() }), { details });
        await runtime.removePodSandbox({ podSandboxId });
      });
    });

    it("refuses the PID namespace of a container that has ended", async () => {
      const { cri } = scene();
      const target = requestFor("plain", goodContainer("target", { command: ["true"] }));
      await leavesNothing(() =>
        withContainer(cri, target, async (targetId) => {
          await cri.runtime.stopContainer({ containerId: targetId, timeout: 5n });
          const config = secured({ namespaceOptions: { pid: mode.target, targetId } });
          const details = /^target PID namespace find PID: /;
          await expectRefusal(cri.runtime.createContainer(requestFor("plain", config)), { details });
        }),
      );
    });

    it("gives a container whose name exists already the id it has", async () => {
      const { cri } = scene();
      const request = requestFor("plain", container({ image: { image: fixtureNames.busybox } }));
      await leavesNothing(() =>
        withContainer(cri, request, async (id) => {
          const again = await cri.runtime.createContainer(request);
          if (again.containerId !== id) throw new Error(`${again.containerId} is not ${id}`);
        }),
      );
    });
  });
}
