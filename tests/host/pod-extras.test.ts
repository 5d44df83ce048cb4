/** What pods get beyond their requests by the node's configuration: workloads, hooks, CDI devices, annotations, CPUs for the node's own work. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { eventually } from "../support/daemon/crictl.ts";
import { defaultManager, type RuntimeName } from "../support/daemon/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { expectRefusal, leavesNothing } from "./bad-input/refusal.ts";
import {
  type ContainerConfig,
  execText,
  goodContainer,
  hostNetworkPod,
  mode,
  openScene,
  type PodConfig,
  type Scene,
  withContainer,
  withPod,
} from "./bad-input/scene.ts";
import { cgroupFile } from "./in-container.ts";

const isV2 = existsSync("/sys/fs/cgroup/cgroup.controllers");
const activation = "target.workload.example/management";
const annotated = [
  "unified-cgroup.crio.io",
  "devices.crio.io",
  "umask.crio.io",
  "shm-size.crio.io",
  "cgroup2-mount-hierarchy-rw.crio.io",
];

for (const runtime of ["crun", "runc"] as const satisfies readonly RuntimeName[]) {
  describe(`the node's configuration, with ${runtime}`, () => {
    let scene: Scene;
    let dir: string;
    let atFirst: Awaited<ReturnType<typeof takeInventory>>;
    before(async () => {
      atFirst = await takeInventory();
      dir = await mkdtemp("/run/pod-extras-");
      await makeHooks(dir);
      await makeCdi(dir);
      scene = await openScene({
        runtime,
        flags: [
          `--hooks-dir=${dir}/hooks,${dir}/more-hooks`,
          `--cdi-spec-dirs=${dir}/cdi,${dir}/more-cdi`,
          "--infra-ctr-cpuset=0",
          "--add-inheritable-capabilities",
          "--default-ulimits=nofile=123:456",
          "--default-env=FROM_NODE=yes",
          "--additional-devices=/dev/fuse:/dev/node-fuse:r",
          "--default-sysctls=net.ipv4.ip_unprivileged_port_start=7",
          "--default-capabilities=KILL,NET_BIND_SERVICE",
        ],
        config: `
[crio.runtime.runtimes.${runtime}-annotated]
runtime_path = "/usr/bin/${runtime}"
runtime_root = "/run/${runtime}"
monitor_cgroup = "${defaultManager() === "cgroupfs" ? "pod" : "system.slice"}"
allowed_annotations = ${JSON.stringify(annotated)}
default_annotations = { "umask.crio.io" = "0077" }
[crio.runtime.workloads.management]
activation_annotation = "${activation}"
annotation_prefix = "resources.workload.example"
allowed_annotations = ["shm-size.crio.io"]
[crio.runtime.workloads.management.resources]
cpushares = 300
cpuset = "0"
`,
      });
    });
    after(async () => {
      await scene[Symbol.asyncDispose]();
      await rm(dir, { recursive: true });
      await expectNoLeaks(atFirst, { ignore: ["images"] });
    });

    const annotatedPod = (annotations: Record<string, string>): PodConfig => hostNetworkPod("extras", { annotations });
    const inContainer = async (
      {
        pod = hostNetworkPod("extras"),
        runtimeHandler = "",
        ...config
      }: ContainerConfig & { readonly pod?: PodConfig; readonly runtimeHandler?: string },
      use: (id: string, info: Info) => Promise<void>,
    ): Promise<void> => {
      await leavesNothing(
        () =>
          withPod(scene.cri, { config: pod, runtimeHandler }, async (podSandboxId) => {
            const request = { podSandboxId, config: goodContainer("app", config), sandboxConfig: pod };
            await withContainer(scene.cri, request, async (id) => {
              const { info } = await scene.cri.runtime.containerStatus({ containerId: id, verbose: true });
              await use(id, JSON.parse(info["info"] ?? "{}"));
            });
          }),
        { ignore: ["images"] }, // the pause image, at the first pod with an infra process
      );
    };

    it("gives the containers of a workload its CPUs, or those that the pod names for them", async () => {
      const inWorkload = (annotations: Record<string, string>) => annotatedPod({ [activation]: "", ...annotations });
      const cpuOf = ({ runtimeSpec }: Info) => runtimeSpec.linux.resources.cpu;
      await inContainer({ pod: inWorkload({}) }, async (id, info) => {
        assert.deepEqual(cpuOf(info), { shares: 300, cpus: "0" });
        assert.match(await execText(scene.cri, id, "grep", "Cpus_allowed_list", "/proc/1/status"), /\t0\n/);
      });
      const own = { "resources.workload.example/app": '{"cpushares": 512, "cpulimit": 500}' };
      await inContainer({ pod: inWorkload(own) }, async (_id, info) => {
        assert.deepEqual(cpuOf(info), { shares: 512, cpus: "0", quota: 50_000, period: 100_000 });
        const quota = await cgroupFile(info.pid, { v1: "cpu/cpu.cfs_quota_us", v2: "cpu.max" });
        assert.match(quota ?? "", /^50000/);
        const monitor = await cgroupFile(await parentOf(info.pid), { v1: "cpu/cpu.shares", v2: "cpu.weight" });
        assert.match(monitor ?? "none", /^\d+$/);
        assert.ok(!["100", "1024"].includes(monitor ?? ""), `the monitor has the shares of everybody: ${monitor}`);
      });
      const bad = inWorkload({ "resources.workload.example/app": '{"cpushares": "many"}' });
      await leavesNothing(() =>
        withPod(scene.cri, { config: bad }, async (podSandboxId) => {
          const request = { podSandboxId, config: goodContainer("app"), sandboxConfig: bad };
          await expectRefusal(scene.cri.runtime.createContainer(request), { details: /cpushares/ });
        }),
      );
    });

    it("lets a pod have the annotations that its workload or its handler allows, and no others", async () => {
      const shm = { "shm-size.crio.io": "1Mi" };
      const umaskOf = async (id: string) =>
        /Umask:\t(\d+)/.exec(await execText(scene.cri, id, "cat", "/proc/1/status"))?.[1];
      const sizeIn = async (id: string) =>
        (await execText(scene.cri, id, "df", "-k", "/dev/shm")).split("\n")[1]?.split(/\s+/)[1];
      await inContainer({ pod: annotatedPod({ [activation]: "", ...shm }) }, async (id) =>
        assert.equal(await sizeIn(id), "1024"),
      );
      await inContainer({ pod: annotatedPod(shm) }, async (id) => assert.equal(await sizeIn(id), "65536"));
      const runtimeHandler = `${runtime}-annotated`;
      await inContainer({ pod: annotatedPod(shm), runtimeHandler }, async (id) => {
        assert.equal(await sizeIn(id), "1024");
        // The handler's own default, which the pod does not have to ask for.
        assert.equal(await umaskOf(id), "0077");
      });
      await inContainer({ pod: annotatedPod({ "umask.crio.io": "0027" }), runtimeHandler }, async (id) =>
        assert.equal(await umaskOf(id), "0027"),
      );
      await inContainer({ pod: annotatedPod({ "umask.crio.io": "0027" }) }, async (id) =>
        assert.equal(await umaskOf(id), "0022"),
      );
    });

    it("writes the files of cgroup v2 that the annotation names for a container", {
      skip: isV2 ? false : "cgroup v1",
    }, async () => {
      const values = { "unified-cgroup.crio.io/app": "memory.high=50331648;pids.max=NzM=" };
      await inContainer({ pod: annotatedPod(values), runtimeHandler: `${runtime}-annotated` }, async (_id, { pid }) => {
        assert.equal(await cgroupFile(pid, { v1: "none/none", v2: "memory.high" }), "50331648");
        assert.equal(await cgroupFile(pid, { v1: "none/none", v2: "pids.max" }), "73");
      });
    });

    it("gives the devices of the annotation that the node allows, and its own additional ones", async () => {
      const pod = annotatedPod({ "devices.crio.io": "/dev/net/tun:/dev/mine:rw" });
      await inContainer({ pod, runtimeHandler: `${runtime}-annotated` }, async (id) => {
        assert.match(
          await execText(scene.cri, id, "stat", "-c", "%F %t:%T", "/dev/mine"),
          /^character special file a:c8/,
        );
        assert.match(await execText(scene.cri, id, "stat", "-c", "%t:%T", "/dev/node-fuse"), /^a:e5/);
        const { exitCode } = await scene.cri.runtime.execSync({
          containerId: id,
          cmd: ["sh", "-c", "exec 3> /dev/node-fuse"],
          timeout: 20n,
        });
        assert.notEqual(exitCode, 0, "the node's device is for reading");
      });
      await inContainer({ pod }, async (id) =>
        assert.equal(await execText(scene.cri, id, "sh", "-c", "ls /dev/mine 2>/dev/null || echo none"), "none\n"),
      );
      const config = annotatedPod({ "devices.crio.io": "/dev/mem" });
      await leavesNothing(() =>
        withPod(scene.cri, { config, runtimeHandler: `${runtime}-annotated` }, async (podSandboxId) => {
          const request = { podSandboxId, config: goodContainer("app"), sandboxConfig: config };
          await expectRefusal(scene.cri.runtime.createContainer(request), {
            details: /device \/dev\/mem is specified but is not in allowed_devices/,
          });
        }),
      );
    });

    it("runs its hooks for the containers that they are for, as their files are now", async () => {
      const ran = async () => (await readFile(join(dir, "ran"), "utf8").catch(() => "")).split("\n").filter(Boolean);
      await inContainer({ annotations: { "hooked.example/app": "yes" } }, async (id) => {
        assert.deepEqual(await ran(), [`createRuntime ${id}`, `poststart ${id}`]);
      });
      await eventually("the hook of the end", async () => (await ran()).some((line) => line.startsWith("poststop ")));
      await rm(join(dir, "ran"));
      await inContainer({}, async () => assert.deepEqual(await ran(), []));
      // A directory that comes later: the file replaces the one of the same name; one that is no hook is left out.
      await mkdir(join(dir, "more-hooks"));
      await writeFile(join(dir, "more-hooks/10-hook.json"), hookFile(dir, ["createRuntime"], { hasBindMounts: true }));
      await writeFile(join(dir, "more-hooks/20-broken.json"), '{"version": "1.0.0"}');
      const mounts = [{ containerPath: "/mnt", hostPath: dir }];
      await inContainer({ mounts }, async (id) => assert.deepEqual(await ran(), [`createRuntime ${id}`]));
      assert.match(
        await scene.daemon.log(),
        /a hook is left out until its file or its program is right.*20-broken\.json/,
      );
      await rm(join(dir, "ran"));
      await rm(join(dir, "more-hooks"), { recursive: true });
      await inContainer({ mounts }, async () => assert.deepEqual(await ran(), []));
    });

    it("says what a hook said that failed, and leaves nothing of its container", async () => {
      await writeFile(join(dir, "fail"), "");
      const config = hostNetworkPod("extras");
      await leavesNothing(() =>
        withPod(scene.cri, { config }, async (podSandboxId) => {
          const container = goodContainer("app", { annotations: { "hooked.example/app": "yes" } });
          const request = { podSandboxId, config: container, sandboxConfig: config };
          await expectRefusal(scene.cri.runtime.createContainer(request), {
            details: /container create failed.*hook/s,
          });
        }),
      );
      await unlink(join(dir, "fail"));
      await rm(join(dir, "ran"), { force: true });
    });

    it("gives CDI devices by field and by annotation, from JSON and YAML", async () => {
      const check = async (id: string) => {
        assert.equal(await execText(scene.cri, id, "sh", "-c", "echo $CDI_ALL $CDI_ONE"), "all one\n");
        assert.equal(await execText(scene.cri, id, "stat", "-c", "%t:%T", "/dev/cdi-zero"), "1:5\n");
        assert.equal(await execText(scene.cri, id, "sh", "-c", "head -c 1 /dev/cdi-zero | od -An -tx1"), " 00\n");
        assert.equal(await execText(scene.cri, id, "cat", "/cdi/note"), "from the vendor\n");
      };
      await inContainer({ CDIDevices: [{ name: "vendor.example/card=one" }] }, check);
      await inContainer({ annotations: { "cdi.k8s.io/plugin": "vendor.example/card=one" } }, check);
      await inContainer({ CDIDevices: [{ name: "other.example/card=two" }] }, async (id) =>
        assert.equal(await execText(scene.cri, id, "sh", "-c", "echo $CDI_TWO; id -G | grep -o 4242"), "two\n4242\n"),
      );
      const config = hostNetworkPod("extras");
      const refused = async (container: ContainerConfig, details: RegExp) =>
        await leavesNothing(() =>
          withPod(scene.cri, { config }, async (podSandboxId) => {
            const request = { podSandboxId, config: goodContainer("app", container), sandboxConfig: config };
            await expectRefusal(scene.cri.runtime.createContainer(request), { details });
          }),
        );
      await refused(
        { CDIDevices: [{ name: "vendor.example/card=none" }] },
        /CDI device injection failed: unresolvable CDI devices vendor\.example\/card=none/,
      );
      await refused({ annotations: { "cdi.k8s.io/x": "nonsense" } }, /failed to parse CDI device annotations/);
      assert.match(await scene.daemon.log(), /CDI registry has errors: .*broken\.yaml/);
    });

    it("gives every process its limits, variables and capabilities, also as inheritable", async () => {
      await inContainer({}, async (id) => {
        assert.equal(
          await execText(scene.cri, id, "sh", "-c", "ulimit -Sn; ulimit -Hn; echo $FROM_NODE"),
          "123\n456\nyes\n",
        );
        const sets = await execText(scene.cri, id, "grep", "^Cap", "/proc/1/status");
        for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd"]) {
          assert.match(sets, new RegExp(`${set}:\t0000000000000420\n`));
        }
        assert.match(sets, /CapAmb:\t0{16}/);
      });
      const pod: PodConfig = {
        ...hostNetworkPod("extras"),
        linux: { securityContext: { namespaceOptions: { pid: mode.container } } },
      };
      await inContainer({ pod }, async (id) =>
        assert.equal(await execText(scene.cri, id, "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"), "7\n"),
      );
    });

    it("keeps its own programs on its own CPUs, and containers off them", async () => {
      const allowed = async (pid: number) =>
        /Cpus_allowed_list:\t(\S+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
      const all = await allowed(process.pid);
      const pod = hostNetworkPod("extras", {
        linux: { securityContext: { namespaceOptions: { network: mode.node, pid: mode.pod } } },
      });
      const linux = { securityContext: { namespaceOptions: { pid: mode.container } } };
      await inContainer({ pod, linux }, async (id, { pid }) => {
        assert.equal(await allowed(pid), all);
        assert.equal(await allowed(await parentOf(pid)), "0", "conmon");
        const [{ id: podId } = { id: "" }] = (await scene.cri.runtime.listPodSandbox({})).items;
        const { info } = await scene.cri.runtime.podSandboxStatus({ podSandboxId: podId, verbose: true });
        assert.equal(await allowed((JSON.parse(info["info"] ?? "{}") as Info).pid), "0", "the infra process");
        const inExec = await execText(scene.cri, id, "grep", "Cpus_allowed_list", "/proc/self/status");
        assert.equal(inExec, `Cpus_allowed_list:\t${all}\n`, "a command in the container");
      });
      assert.equal(await allowed(scene.daemon.pid), all, "the daemon itself");
    });
  });
}

interface Info {
  readonly pid: number;
  readonly runtimeSpec: { readonly linux: { readonly resources: { readonly cpu: object } } };
}

async function parentOf(pid: number): Promise<number> {
  return Number(/PPid:\t(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]);
}

function hookFile(dir: string, stages: readonly string[], when: object): string {
  return JSON.stringify({
    version: "1.0.0",
    hook: { path: join(dir, "hook.sh"), args: ["hook", stages[0]] },
    when,
    stages,
  });
}

async function makeHooks(dir: string): Promise<void> {
  await mkdir(join(dir, "hooks"));
  const script = `#!/bin/sh
[ -e ${dir}/fail ] && { echo the hook is not content >&2; exit 3; }
id=$(sed -n 's/.*"id": *"\\([0-9a-f]*\\)".*/\\1/p')
echo "$1 $id" >> ${dir}/ran
`;
  await writeFile(join(dir, "hook.sh"), script);
  await chmod(join(dir, "hook.sh"), 0o755);
  const when = { annotations: { "^hooked\\.example/": "^yes$" } };
  await writeFile(join(dir, "hooks/10-hook.json"), hookFile(dir, ["createRuntime"], when));
  await writeFile(join(dir, "hooks/20-hook.json"), hookFile(dir, ["poststart"], when));
  await writeFile(join(dir, "hooks/30-hook.json"), hookFile(dir, ["poststop"], when));
  await writeFile(join(dir, "hooks/README"), "not a hook");
}

async function makeCdi(dir: string): Promise<void> {
  await mkdir(join(dir, "cdi"));
  await mkdir(join(dir, "more-cdi"));
  await writeFile(join(dir, "note"), "from the vendor\n");
  const one = {
    env: ["CDI_ONE=one"],
    deviceNodes: [{ path: "/dev/cdi-zero", hostPath: "/dev/zero" }],
    mounts: [{ hostPath: join(dir, "note"), containerPath: "/cdi/note", options: ["ro", "bind"] }],
  };
  const old = { cdiVersion: "0.5.0", kind: "vendor.example/card", devices: [{ name: "one", containerEdits: {} }] };
  await writeFile(join(dir, "cdi/vendor.json"), JSON.stringify(old));
  const spec = { ...old, containerEdits: { env: ["CDI_ALL=all"] }, devices: [{ name: "one", containerEdits: one }] };
  await writeFile(join(dir, "more-cdi/vendor.json"), JSON.stringify(spec));
  await writeFile(
    join(dir, "cdi/other.yaml"),
    `---
cdiVersion: "0.7.0"
kind: other.example/card
devices:
  - name: two
    containerEdits:
      env: [CDI_TWO=two]
      additionalGids: [4242]
`,
  );
  await writeFile(join(dir, "cdi/broken.yaml"), "cdiVersion: [");
}
