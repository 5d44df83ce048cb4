import { existsSync } from "node:fs";
import { chmod, chown, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { newId } from "../../src/base/index.ts";
import { boundingCapabilities, ownCapabilities } from "../../src/host/index.ts";
import { hostPlatform, type RuntimeSpec, runtimeJson } from "../../src/oci/index.ts";
import {
  builtinSeccompProfile,
  compileSeccomp,
  type HostCapabilities,
  kernelVersionFrom,
  knownCapabilities,
  resolveCapabilities,
} from "../../src/security/index.ts";
import {
  buildContainerSpec,
  buildInfraSpec,
  type ContainerSpecPlan,
  type HostFacts,
  type MountRequest,
  type MountSource,
  planMounts,
} from "../../src/spec/index.ts";
import { type Finished, mustRun, run } from "../support/programs.ts";

/** Where a static busybox is, if there is one. */
export const busybox = ["/usr/bin/busybox", "/bin/busybox"].find((path) => existsSync(path));

const defaults = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FSETID",
  "FOWNER",
  "SETGID",
  "SETUID",
  "SETPCAP",
  "NET_BIND_SERVICE",
  "KILL",
].map((name) => `CAP_${name}`);

/** How a test's container differs from the plainest one. */
export interface SpecChange {
  readonly user?: ContainerSpecPlan["user"];
  readonly command?: Partial<ContainerSpecPlan["command"]>;
  readonly noNewPrivileges?: boolean;
  readonly confinement?: Partial<ContainerSpecPlan["confinement"]>;
  readonly mounts?: readonly { readonly request: MountRequest; readonly source: MountSource }[];
  readonly devices?: ContainerSpecPlan["devices"];
  readonly namespaces?: Partial<ContainerSpecPlan["namespaces"]>;
  readonly privileged?: boolean;
  readonly readonlyRootfs?: boolean;
  readonly tmpfs?: boolean;
  readonly memory?: bigint;
  readonly pidsLimit?: bigint;
}

/** A bundle with busybox in it, and the files that a pod would have made. */
export class SpecBundle implements AsyncDisposable {
  readonly runtime: string;
  readonly root: string;
  readonly host: HostFacts;
  readonly capabilities: HostCapabilities;

  constructor(runtime: string, root: string, host: HostFacts, capabilities: HostCapabilities) {
    this.runtime = runtime;
    this.root = root;
    this.host = host;
    this.capabilities = capabilities;
  }

  static async make(runtime: string): Promise<SpecBundle> {
    const root = await mkdtemp(join(tmpdir(), "spec-host-"));
    await chmod(root, 0o755);
    for (const name of ["bin", "etc", "run", "tmp", "mnt", "var/tmp"]) {
      await mkdir(join(root, "rootfs", name), { recursive: true });
    }
    await chmod(join(root, "rootfs/tmp"), 0o1777);
    await copyFile(busybox ?? "", join(root, "rootfs/bin/busybox"));
    await symlink("busybox", join(root, "rootfs/bin/sh"));
    await mkdir(join(root, "shm"));
    await mkdir(join(root, "empty"));
    await writeFile(join(root, "resolv.conf"), "nameserver 192.0.2.1\n");
    await writeFile(join(root, "hostname"), "pod-1\n");
    await writeFile(join(root, "containerenv"), "");
    const last = Number(await readFile("/proc/sys/kernel/cap_last_cap", "utf8"));
    const capabilities = { known: knownCapabilities(last), bounding: await boundingCapabilities() };
    return new SpecBundle(runtime, root, await hostFacts(), capabilities);
  }

  /** A shell script; busybox' programs are all there. */
  sh(script: string, change: SpecChange): Promise<Finished> {
    const [busyboxPath, shell] = ["/bin/busybox", "sh"];
    return this.run(
      [busyboxPath, shell, "-c", `export PATH=/bin; busybox --install -s /bin 2>/dev/null; ${script}`],
      change,
    );
  }

  async run(command: readonly string[], change: SpecChange): Promise<Finished> {
    return await this.#runSpec(buildContainerSpec(this.#plan(command, change)));
  }

  /** Starts a container that goes on without us, and returns what its runtime says to further commands about it. */
  async start(
    command: readonly string[],
    change: SpecChange,
  ): Promise<(...command: readonly string[]) => Promise<Finished>> {
    const id = `spec-${newId().slice(0, 12)}`;
    await this.#write(buildContainerSpec(this.#plan(command, change)));
    // Its output goes nowhere: a pipe would be held open by the container.
    const script = 'exec "$@" </dev/null >/dev/null 2>&1';
    await mustRun(["sh", "-c", script, "sh", ...this.#runtime(), "run", "--detach", "--bundle", this.root, id]);
    return (verb = "", ...args) => run([...this.#runtime(), verb, id, ...args]);
  }

  async runInfra(args: readonly string[], sysctls: readonly (readonly [string, string])[]): Promise<Finished> {
    const { confinement, namespaces, mounts } = this.#plan(args, {});
    const spec = buildInfraSpec({
      host: this.host,
      rootfsPath: "rootfs",
      hostname: "pod-1",
      args,
      rlimits: [],
      capabilities: confinement.capabilities,
      ...(confinement.seccomp === undefined ? {} : { seccomp: confinement.seccomp }),
      selinuxLabel: "",
      mountLabel: "",
      files: mounts.podFiles,
      namespaces,
      cgroupsPath: `/crio-ts-spec-${newId().slice(0, 12)}`,
      cpuset: "",
      sysctls,
      annotations: { pod: {}, labels: {}, crio: {} },
    });
    return await this.#runSpec(spec);
  }

  /** Makes the root file system belong to the root of a user namespace. */
  async giveTo(id: number): Promise<void> {
    for (const name of ["", "bin", "etc", "run", "tmp", "mnt", "var"])
      await chown(join(this.root, "rootfs", name), id, id);
  }

  async #runSpec(spec: RuntimeSpec): Promise<Finished> {
    await this.#write(spec);
    return await run([...this.#runtime(), "run", "--bundle", this.root, `spec-${newId().slice(0, 12)}`], {
      timeoutMs: 60_000,
    });
  }

  async #write(spec: RuntimeSpec): Promise<void> {
    await writeFile(join(this.root, "config.json"), runtimeJson(spec));
  }

  #runtime(): readonly string[] {
    return [this.runtime, "--root", join(this.root, "state")];
  }

  #plan(command: readonly string[], change: SpecChange): ContainerSpecPlan {
    const { privileged = false, noNewPrivileges = false, memory } = change;
    const capabilities = resolveCapabilities({
      add: [],
      drop: [],
      defaults,
      privileged,
      addInheritable: false,
      host: this.capabilities,
    });
    const seccomp = compileSeccomp(builtinSeccompProfile(), {
      architecture: hostPlatform().architecture,
      capabilities: new Set(capabilities.sets.bounding),
      kernel: kernelVersionFrom(release()),
    });
    const file = (name: string) => join(this.root, name);
    return {
      id: newId(),
      host: this.host,
      privileged,
      rootfs: { path: "rootfs", readonly: change.readonlyRootfs ?? false },
      hostname: "pod-1",
      command: {
        command,
        args: [],
        workingDir: "",
        tty: false,
        env: [],
        image: { Entrypoint: [], Cmd: [], Env: [], WorkingDir: "" },
        defaultEnv: [],
        extraEnv: [],
        ...change.command,
      },
      user: change.user ?? { uid: 0, gid: 0, additionalGids: [0] },
      rlimits: [],
      confinement: {
        capabilities: capabilities.sets,
        noNewPrivileges,
        ...(privileged ? {} : { seccomp }),
        selinuxLabel: "",
        mountLabel: "",
        maskedPaths: [],
        readonlyPaths: [],
        ...change.confinement,
      },
      mounts: {
        requested: planMounts(change.mounts ?? [], {
          storageRoot: file("storage"),
          emptyDirectory: file("empty"),
          absentSourcesToReject: [],
          runtime: { idmap: false, recursiveReadOnly: false },
          keepLabels: false,
        }),
        tmpfsForReadonly: change.tmpfs ?? false,
        cgroupWritable: false,
        podFiles: {
          shmPath: file("shm"),
          resolvPath: file("resolv.conf"),
          hostnamePath: file("hostname"),
          containerEnvPath: file("containerenv"),
        },
        generated: [],
        volumes: [],
        last: [],
      },
      devices: change.devices ?? {
        configured: [],
        hostDevices: [],
        privilegedWithoutHostDevices: false,
        requested: [],
      },
      resources: {
        minMemoryBytes: 12n << 20n,
        pidsLimit: change.pidsLimit ?? -1n,
        ...(memory === undefined ? {} : { requested: { ...noResources, memoryLimitInBytes: memory } }),
      },
      cgroupsPath: `/crio-ts-spec-${newId().slice(0, 12)}`,
      namespaces: {
        pid: { is: "new" },
        network: { is: "new" },
        ipc: { is: "new" },
        uts: { is: "new" },
        ...change.namespaces,
      },
      annotations: {
        pod: {},
        container: {},
        containerName: "app",
        labels: {},
        crio: { "io.container.manager": "cri-o" },
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true });
  }
}

const noResources = {
  cpuPeriod: 0n,
  cpuQuota: 0n,
  cpuShares: 0n,
  memoryLimitInBytes: 0n,
  memorySwapLimitInBytes: 0n,
  oomScoreAdj: 0n,
  cpusetCpus: "",
  cpusetMems: "",
  hugepageLimits: [],
  unified: {},
};

export function bind(
  containerPath: string,
  { hostPath, readonly = false }: { readonly hostPath: string; readonly readonly?: boolean },
): { readonly request: MountRequest; readonly source: MountSource } {
  return {
    request: {
      containerPath,
      hostPath,
      readonly,
      recursiveReadOnly: false,
      selinuxRelabel: false,
      propagation: "private",
      uidMappings: [],
      gidMappings: [],
      imageSubPath: "",
    },
    source: { is: "host", path: hostPath, exists: true },
  };
}

async function hostFacts(): Promise<HostFacts> {
  const v2 = existsSync("/sys/fs/cgroup/cgroup.controllers");
  const mayRaise = (await ownCapabilities()).has("CAP_SYS_RESOURCE");
  const oomScoreAdj = Number(await readFile("/proc/self/oom_score_adj", "utf8"));
  return {
    cgroupVersion: v2 ? 2 : 1,
    swapAccounting: false,
    hugetlb: false,
    pids: true,
    ...(mayRaise ? {} : { inherited: { oomScoreAdj, hardRlimits: new Map() } }),
  };
}
