/** Every field of RunPodSandbox that can be missing or malformed (reference: cri.md 2). */
import { existsSync } from "node:fs";
import { mkdir, readdir, realpath, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { defaultManager } from "../../support/daemon/index.ts";
import { mustRun } from "../../support/programs.ts";
import { expectRefusal, leavesNothing, type Refusal } from "../bad-input/refusal.ts";
import { goodPod, mode, type RunPodRequest, type Scene, withPod } from "../bad-input/scene.ts";

interface BadPod extends Refusal {
  readonly what: string;
  readonly request: RunPodRequest;
  /** The request without the flaw. Default: a good pod. */
  readonly mended?: RunPodRequest;
}

const name = "bad-fields";
const pod = (more: Parameters<typeof goodPod>[1] = {}): RunPodRequest => ({ config: goodPod(name, more) });
const metadata = { name, uid: "uid", namespace: "bad-input", attempt: 0 };
const security = { namespaceOptions: { pid: mode.container } };
const longest = "v".repeat(4096 - 20);
/** A handler that allows the annotations that are parsed. */
const allowing = (annotations: Record<string, string>): RunPodRequest => ({
  ...pod({ annotations }),
  runtimeHandler: "allowing",
});

const cases: readonly BadPod[] = [
  { what: "no config", request: {}, details: "setting sandbox config: config is nil" },
  { what: "no metadata", request: pod({ metadata: undefined }), details: "setting sandbox config: metadata is nil" },
  {
    what: "no name",
    request: pod({ metadata: { ...metadata, name: "" } }),
    details: "setting sandbox config: metadata.Name should not be empty",
  },
  {
    what: "no namespace",
    request: pod({ metadata: { ...metadata, namespace: "" } }),
    details: "setting pod sandbox name and id: cannot generate pod name without namespace",
  },
  {
    what: "no uid",
    request: pod({ metadata: { ...metadata, uid: "" } }),
    details: "setting pod sandbox name and id: cannot generate pod name without uid in metadata",
  },
  {
    what: "an unknown handler",
    request: { ...pod(), runtimeHandler: "kata-of-nowhere" },
    details: /^failed to find runtime handler kata-of-nowhere from runtime list .*crun/,
    mended: { ...pod(), runtimeHandler: "crun" },
  },
  {
    what: "a relative log directory",
    request: pod({ logDirectory: "pods/x" }),
    details: /^requested logDir for sbuilder ID [0-9a-f]{64} is a relative path: pods\/x$/,
  },
  {
    what: "a label of 4097 bytes",
    request: pod({ labels: { ["k".repeat(20)]: `${longest}v` } }),
    details: "label key and value greater than maximum size (4096 bytes), key: kkkkkkkkkk",
    mended: pod({ labels: { ["k".repeat(20)]: longest } }),
  },
  ...(defaultManager() === "systemd"
    ? [
        {
          what: "a path as parent, which the systemd manager has none of",
          request: pod({ linux: { cgroupParent: "/kubepods/pod1", securityContext: security } }),
          details: "cri-o configured with systemd cgroup manager, but did not receive slice as parent: /kubepods/pod1",
        },
      ]
    : [
        {
          what: "a slice as parent, which the cgroupfs manager has none of",
          request: pod({ linux: { cgroupParent: "/kubepods.slice/pod1.slice", securityContext: security } }),
          details:
            "cri-o configured with cgroupfs cgroup manager, but received systemd slice as parent: /kubepods.slice/pod1.slice",
        },
        {
          what: "a cgroup parent that climbs",
          request: pod({ linux: { cgroupParent: "/kubepods/../../x", securityContext: security } }),
          details: /^not the path of a cgroup: "\/kubepods\/\.\.\/\.\.\/x"/,
        },
      ]),
  {
    what: "a size of /dev/shm that is none",
    request: allowing({ "shm-size.crio.io": "plenty" }),
    details: /^failed to parse shm size 'plenty': /,
    mended: allowing({ "shm-size.crio.io": "32Mi" }),
  },
  {
    what: "a size of /dev/shm below one byte",
    request: allowing({ "shm-size.crio.io": "-5" }),
    details: "shm size -5 must be greater than 0",
    mended: allowing({ "shm-size.crio.io": "4096" }),
  },
  {
    what: "a size of /dev/shm of 0, in the older annotation",
    request: allowing({ "io.kubernetes.cri-o.ShmSize": "0" }),
    details: "shm size 0 must be greater than 0",
  },
  ...(["ingress", "egress"] as const).map((direction) => ({
    what: `a bandwidth for ${direction} that is none`,
    request: pod({ annotations: { [`kubernetes.io/${direction}-bandwidth`]: "lots" } }),
    details: new RegExp(
      `^failed to create pod network sandbox k8s_${name}_bad-input_uid-${name}_0\\([0-9a-f]{64}\\): .*failed to parse ${direction} bandwidth: `,
    ),
    mended: pod({ annotations: { [`kubernetes.io/${direction}-bandwidth`]: "10M" } }),
  })),
  {
    what: "a seccomp profile of an unknown kind",
    request: pod({ linux: { securityContext: { ...security, seccomp: { profileType: 7 as 0, localhostRef: "" } } } }),
    details: "unknown security profile type 7",
  },
  {
    what: "a seccomp profile that is not there",
    request: pod({
      linux: { securityContext: { ...security, seccomp: { profileType: 2, localhostRef: "/no/such/profile.json" } } },
    }),
    details: /\/no\/such\/profile\.json/,
  },
  {
    what: "a host port beyond 65535",
    request: pod({ portMappings: [{ protocol: 0, containerPort: 80, hostPort: 65_536, hostIp: "" }] }),
    details: /^failed to add hostport mapping for sandbox .*ports are 1 to 65535/,
    mended: pod({ portMappings: [{ protocol: 0, containerPort: 80, hostPort: 8080, hostIp: "" }] }),
  },
  {
    what: "a host port on what is no address",
    request: pod({ portMappings: [{ protocol: 1, containerPort: 80, hostPort: 8080, hostIp: "10.0.0.1; accept" }] }),
    details: /^failed to add hostport mapping for sandbox .*its host address is no IP address/,
    mended: pod({ portMappings: [{ protocol: 1, containerPort: 80, hostPort: 8080, hostIp: "127.0.0.1" }] }),
  },
];

export function podFields(scene: () => Scene): void {
  describe("RunPodSandbox", () => {
    for (const { what, request, mended = pod(), ...refusal } of cases) {
      it(`refuses ${what}, leaves nothing, and runs the pod without that`, async () => {
        const { runtime } = scene().cri;
        await leavesNothing(() => expectRefusal(runtime.runPodSandbox(request), refusal));
        await leavesNothing(() => withPod(scene().cri, mended, async () => {}));
      });
    }

    it("refuses a pod whose cgroup may have less memory than a container needs", async () => {
      const parent = await makeParent(1 << 20);
      const request = pod({ linux: { cgroupParent: parent.name, securityContext: security } });
      const details = /^pod set memory limit 1048576 too low; should be at least \d+ bytes$/;
      try {
        await leavesNothing(() => expectRefusal(scene().cri.runtime.runPodSandbox(request), { details }));
        await parent.allow(64 << 20);
        await leavesNothing(() => withPod(scene().cri, request, async () => {}));
      } finally {
        await parent.remove();
      }
    });
  });
}

/** A cgroup that pods can have as parent, with a memory limit. */
interface Parent {
  readonly name: string;
  allow(bytes: number): Promise<void>;
  remove(): Promise<void>;
}

/** As the kubelet makes one for a pod. */
function makeParent(bytes: number): Promise<Parent> {
  return defaultManager() === "systemd" ? makeSlice(bytes) : makeCgroup(bytes);
}

async function makeSlice(bytes: number): Promise<Parent> {
  const name = "bad_input.slice";
  const allow = async (limit: number) => {
    await mustRun(["systemctl", "set-property", "--runtime", name, `MemoryMax=${limit}`]);
  };
  await allow(bytes);
  await mustRun(["systemctl", "start", name]);
  return {
    name,
    allow,
    async remove() {
      await mustRun(["systemctl", "stop", name]);
      await mustRun(["systemctl", "revert", name]);
    },
  };
}

/** In every hierarchy. */
async function makeCgroup(bytes: number): Promise<Parent> {
  const name = "/bad-input-memory";
  const root = "/sys/fs/cgroup";
  const isV2 = existsSync(join(root, "cgroup.controllers"));
  const roots = isV2 ? [root] : (await readdir(root)).map((each) => join(root, each));
  const folders = [...new Set(await Promise.all(roots.map((each) => realpath(each))))].map((each) => `${each}${name}`);
  for (const folder of folders) await mkdir(folder);
  const file = isV2 ? `${root}${name}/memory.max` : `${root}/memory${name}/memory.limit_in_bytes`;
  const allow = (limit: number) => writeFile(file, String(limit));
  await allow(bytes);
  return {
    name,
    allow,
    async remove() {
      for (const folder of folders) await rmdir(folder);
    },
  };
}
