/** "Why is it stuck?": faults are planted one after another, and GET /why names the cause of each. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { request as requestHttp } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fixtureNames } from "../support/fixtures/index.ts";
import { projectRoot } from "../support/paths.ts";
import { run } from "../support/programs.ts";
import { type FaultRule, registryControl } from "../support/registry/index.ts";
import { heal, openStage, type Stage, setMode } from "./bad-helpers/stage.ts";
import { goodContainer, goodPod, hostNetworkPod } from "./bad-input/scene.ts";

interface Answer {
  readonly text: string;
  readonly operations: readonly {
    readonly name: string;
    readonly waits: readonly { readonly processes: readonly { readonly pid: number }[] }[];
  }[];
}

/** What is planted: the call that gets stuck, and what must be said of it; then how to end it. */
interface Planted {
  readonly calls: readonly Promise<unknown>[];
  readonly heal?: () => Promise<unknown> | unknown;
}

interface Fault {
  readonly what: string;
  readonly says: readonly RegExp[];
  readonly plant: () => Promise<Planted>;
}

const registry = registryControl();
const storeLock = "/var/lib/containers/storage/overlay-containers/containers.lock";

describe("why an operation is stuck", () => {
  let stage: Stage;
  const sandboxConfig = hostNetworkPod("why");
  let podSandboxId = "";
  let count = 0;

  before(async () => {
    stage = await openStage();
    const { runtime } = stage.cri;
    ({ podSandboxId } = await runtime.runPodSandbox({ config: sandboxConfig, runtimeHandler: "wrapped" }));
  });
  afterEach(async () => {
    await heal();
    await registry.setFaults([]);
  });
  after(async () => {
    const pods = (await calls().listPodSandbox({})).items.filter(({ metadata }) => metadata?.name !== "bystander");
    const ours = new Set(pods.map(({ id }) => id));
    const containers = (await calls().listContainers({})).containers.filter((each) => ours.has(each.podSandboxId));
    await Promise.all(containers.map(({ id }) => calls().stopContainer({ containerId: id, timeout: 0n })));
    for (const id of ours) await calls().removePodSandbox({ podSandboxId: id });
    await stage[Symbol.asyncDispose]();
  });

  const create = (more: object = {}, name = `c${++count}`) => {
    const config = goodContainer(name, more);
    return stage.cri.runtime.createContainer({ podSandboxId, sandboxConfig, config });
  };
  const started = async (more: object = {}) => {
    const { containerId } = await create(more);
    await stage.cri.runtime.startContainer({ containerId });
    return containerId;
  };
  const runPod = (name = `why-${++count}`) => stage.cri.runtime.runPodSandbox({ config: goodPod(name) });

  /** A helper misbehaves, and the call is made. */
  const helped =
    (helper: "first" | "third" | "runtime", mode: string, call: () => Promise<() => Promise<unknown>>) => async () => {
      const go = await call();
      await setMode(helper, mode);
      return { calls: [go()], heal: () => heal() };
    };
  const onContainer = (work: (containerId: string) => Promise<unknown>) => async () => {
    const containerId = await started();
    return () => work(containerId);
  };
  const pulling =
    (...rules: readonly FaultRule[]) =>
    async () => {
      await registry.setFaults(rules);
      const client = new AbortController();
      const call = stage.cri.image.pullImage({ image: { image: fixtureNames.large } }, { signal: client.signal });
      return { calls: [call], heal: () => client.abort() };
    };

  const calls = () => stage.cri.runtime;

  const faults: readonly Fault[] = [
    {
      what: "the first CNI plugin of a chain hangs at ADD",
      says: [
        /RunPodSandbox for/,
        /sandbox network creation > CNI plugin first ADD/,
        /helpers\/plugins\/first/,
        /is killed in/,
      ],
      plant: helped("first", "ADD:hang", async () => () => runPod()),
    },
    {
      what: "the third CNI plugin of a chain hangs at ADD",
      says: [/CNI plugin third ADD/, /helpers\/plugins\/third/, /the CNI plugin does not answer/],
      plant: helped("third", "ADD:hang", async () => () => runPod()),
    },
    {
      what: "a CNI plugin hangs at CHECK",
      says: [/CNI plugin third CHECK/],
      plant: helped("third", "CHECK:hang", async () => () => runPod()),
    },
    {
      what: "a CNI plugin hangs at DEL",
      says: [/StopPodSandbox for/, /CNI plugin third DEL/],
      plant: helped("third", "DEL:hang", async () => {
        const pod = await runPod();
        return () => calls().stopPodSandbox(pod);
      }),
    },
    {
      what: "the OCI runtime hangs at create",
      says: [
        /CreateContainer for/,
        /container runtime creation/,
        /conmon -r .*helpers\/runtime/,
        /runtime \(\d+\)/,
        /OCI runtime/,
      ],
      plant: helped("runtime", "create:hang", async () => () => create()),
    },
    {
      what: "the OCI runtime hangs at start",
      says: [/StartContainer for/, /helpers\/runtime --root \/run\/crun start/, /the OCI runtime does not end/],
      plant: helped("runtime", "start:hang", async () => {
        const { containerId } = await create();
        return () => calls().startContainer({ containerId });
      }),
    },
    {
      what: "the OCI runtime hangs at kill",
      says: [/StopContainer for/, /helpers\/runtime --root \/run\/crun kill/],
      plant: helped(
        "runtime",
        "kill:hang",
        onContainer((containerId) => calls().stopContainer({ containerId })),
      ),
    },
    {
      what: "the OCI runtime hangs at delete",
      says: [/RemoveContainer for/, /helpers\/runtime --root \/run\/crun delete/],
      plant: helped("runtime", "delete:hang", async () => {
        const containerId = await started();
        await calls().stopContainer({ containerId, timeout: 0n });
        return () => calls().removeContainer({ containerId });
      }),
    },
    {
      what: "the OCI runtime hangs at update",
      says: [/UpdateContainerResources for/, /helpers\/runtime --root \/run\/crun update/],
      plant: helped(
        "runtime",
        "update:hang",
        onContainer((containerId) => calls().updateContainerResources({ containerId, linux: { cpuShares: 512n } })),
      ),
    },
    {
      what: "the OCI runtime hangs at state",
      says: [/StopContainer for/, /helpers\/runtime --root \/run\/crun state/],
      plant: helped(
        "runtime",
        "state:hang",
        onContainer((containerId) => calls().stopContainer({ containerId })),
      ),
    },
    {
      what: "the OCI runtime hangs at exec",
      says: [/ExecSync for/, /helpers\/runtime .*exec/],
      plant: helped(
        "runtime",
        "exec:hang",
        onContainer((containerId) => calls().execSync({ containerId, cmd: ["true"] })),
      ),
    },
    {
      what: "a command in a container does not end",
      says: [/ExecSync for/, /the command in the container \(pid \d+\)/, /sleep/],
      plant: async () => {
        const containerId = await started();
        const client = new AbortController();
        const call = calls().execSync({ containerId, cmd: ["sleep", "999"] }, { signal: client.signal });
        return { calls: [call], heal: () => client.abort() };
      },
    },
    {
      what: "conmon hangs",
      says: [/CreateContainer for/, /container runtime creation/, /helpers\/conmon/, /program .*conmon/],
      plant: async () => {
        const config = hostNetworkPod(`why-${++count}`);
        const pod = await calls().runPodSandbox({ config, runtimeHandler: "monitored" });
        await setMode("conmon", "hang");
        const call = calls().createContainer({ ...pod, sandboxConfig: config, config: goodContainer("app") });
        const end = async () => {
          await heal();
          await call;
          await calls().removePodSandbox(pod);
        };
        return { calls: [call], heal: end };
      },
    },
    {
      what: "the OCI runtime is stopped by a signal",
      says: [/StartContainer for/, /state T: stopped by a signal/, /kill -CONT \d+/],
      plant: async () => {
        const { containerId } = await create();
        await setMode("runtime", "start:stop");
        return {
          calls: [calls().startContainer({ containerId })],
          heal: async () => {
            await heal();
            for (const pid of await pidsInFlight()) process.kill(pid, "SIGCONT");
          },
        };
      },
    },
    {
      what: "the OCI runtime waits in the kernel, where no signal reaches it",
      says: [/StartContainer for/, /state D: waiting in the kernel/, /\/proc\/\d+\/stack/],
      plant: helped("runtime", "start:uninterruptible", async () => {
        const { containerId } = await create();
        return () => calls().startContainer({ containerId });
      }),
    },
    {
      what: "a registry stalls on a manifest",
      says: [/PullImage for/, /waits for: its data from https?:\/\/quay\.io\S*\/manifests\//, /curl -v/],
      plant: pulling({ path: "/crio-ts/large/manifests/", fault: { is: "stall", afterBytes: 0 } }),
    },
    {
      what: "a registry stalls on the image's config",
      says: [/PullImage for/, /waits for: its data from https?:\/\/quay\.io\S*\/blobs\//],
      plant: pulling({ path: "/crio-ts/large/blobs/", fault: { is: "stall", afterBytes: 10 } }),
    },
    {
      what: "a registry stalls on a layer",
      says: [/PullImage for/, /layer sha256:[0-9a-f]{64} > GET/, /its data from https?:\/\/quay\.io\S*\/blobs\//],
      plant: pulling({ path: "/crio-ts/large/blobs/", skip: 1, fault: { is: "stall", afterBytes: 1 << 20 } }),
    },
    {
      what: "a token server stalls",
      says: [/PullImage for/, /waits for: its data from https?:\/\/quay\.io\/token/],
      plant: async () => {
        await registry.setAuth([{ prefix: "crio-ts/", mode: { is: "bearer", user: "u", password: "p" } }]);
        await registry.setFaults([{ path: "token", fault: { is: "stall", afterBytes: 0 } }]);
        const client = new AbortController();
        const call = stage.cri.image.pullImage({ image: { image: fixtureNames.large } }, { signal: client.signal });
        const end = async () => {
          client.abort();
          await registry.setAuth([]);
        };
        return { calls: [call], heal: end };
      },
    },
    {
      what: "a registry accepts connections and says nothing",
      says: [/PullImage for/, /waits for: a connection from https?:\/\/plain\.test/],
      plant: async () => {
        const server = createServer((socket) => void socket.resume().on("error", () => {}));
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        const address = server.address();
        const port = typeof address === "object" ? address?.port : undefined;
        const client = new AbortController();
        const image = { image: `plain.test:${port}/x/y:1` };
        const call = stage.cri.image.pullImage({ image }, { signal: client.signal });
        const end = () => {
          client.abort();
          server.close();
        };
        return { calls: [call], heal: end };
      },
    },
    {
      what: "another pull of the same image is not getting on",
      says: [/what PullImage .* has begun/, /behind it, PullImage .*\/blobs\//s],
      plant: async () => {
        const first = await pulling({ path: "/crio-ts/large/blobs/", fault: { is: "stall", afterBytes: 10 } })();
        const client = new AbortController();
        const second = stage.cri.image.pullImage({ image: { image: fixtureNames.large } }, { signal: client.signal });
        const end = () => {
          first.heal();
          client.abort();
        };
        return { calls: [...first.calls, second], heal: end };
      },
    },
    {
      what: "another program holds a lock of the store",
      says: [
        /RunPodSandbox for/,
        /sandbox storage creation/,
        /the lock of \S*containers\.lock, which process \d+ \(\S+\) holds/,
        /end it/,
      ],
      plant: async () => {
        const holder = await holdLock(storeLock);
        return { calls: [runPod()], heal: () => holder.kill("SIGKILL") };
      },
    },
    {
      what: "the pod is busy with another call that hangs",
      says: [
        /StopPodSandbox for/,
        /the lock of pod [0-9a-f]{64}, which CreateContainer \(id \S+\) holds/,
        /behind it, CreateContainer .*helpers\/runtime/s,
      ],
      plant: async () => {
        const config = hostNetworkPod(`why-${++count}`);
        const pod = await calls().runPodSandbox({ config, runtimeHandler: "wrapped" });
        await setMode("runtime", "create:hang");
        const creating = calls().createContainer({ ...pod, sandboxConfig: config, config: goodContainer("app") });
        await untilSaid([/container runtime creation/]);
        const stopping = calls().stopPodSandbox(pod);
        const end = async () => {
          await heal();
          await Promise.allSettled([creating, stopping]);
          await calls().removePodSandbox(pod);
        };
        return { calls: [creating, stopping], heal: end };
      },
    },
    {
      what: "the container is busy with another call that hangs",
      says: [
        /UpdateContainerResources for/,
        /the lock of container [0-9a-f]{64}, which StartContainer \(id \S+\) holds/,
      ],
      plant: async () => {
        const { containerId } = await create();
        await setMode("runtime", "start:hang");
        const starting = calls().startContainer({ containerId });
        await untilSaid([/ start [0-9a-f]{64}/]);
        const updating = calls().updateContainerResources({ containerId, linux: { cpuShares: 512n } });
        return { calls: [starting, updating], heal: () => heal() };
      },
    },
    {
      what: "a retry waits for the creation that an earlier call has begun",
      says: [/what RunPodSandbox .* has begun/, /behind it, RunPodSandbox .*CNI plugin first ADD/s],
      plant: async () => {
        await setMode("first", "ADD:hang");
        const name = `why-${++count}`;
        const first = runPod(name);
        await untilSaid([/CNI plugin first ADD/]);
        return { calls: [first, runPod(name)], heal: () => heal() };
      },
    },
    {
      what: "a container ignores its stop signal",
      says: [
        /StopContainer for/,
        /the container's first process \(pid \d+\)/,
        /gets SIGKILL in \d+ s/,
        /wait for SIGKILL/,
      ],
      plant: async () => {
        const containerId = await started({ command: ["sh", "-c", 'trap "" TERM; while :; do sleep 1; done'] });
        await sleepUntilIgnoring(containerId);
        const call = calls().stopContainer({ containerId, timeout: 100n });
        return { calls: [call], heal: () => calls().stopContainer({ containerId, timeout: 0n }) };
      },
    },
    {
      what: "the cgroup of a container's pod is frozen",
      says: [/StopContainer for/, /: frozen/, /its cgroup is frozen/],
      plant: async () => {
        const containerId = await started();
        const parent = await freezerOf(containerId);
        await writeFile(parent.file, parent.frozen);
        const call = calls().stopContainer({ containerId, timeout: 100n });
        return { calls: [call], heal: () => writeFile(parent.file, parent.thawed) };
      },
    },
    {
      what: "the source of a mount is on a file system whose server is gone",
      says: [/CreateContainer for/, /looking at the mount source \/run\/dead-fuse/, /is given up in \d+ s/, /umount/],
      plant: async () => {
        const server = await deadFuse("/run/dead-fuse");
        const mounts = [{ hostPath: "/run/dead-fuse/x", containerPath: "/x" }];
        const end = async () => {
          server.kill("SIGKILL");
          await run(["umount", "-l", "/run/dead-fuse"], { timeoutMs: 10_000 });
        };
        return { calls: [create({ mounts })], heal: end };
      },
    },
  ];

  for (const { what, says, plant } of faults) {
    it(`is told: ${what}`, async () => {
      const planted = await plant();
      for (const call of planted.calls) call.catch(() => {});
      try {
        await untilSaid(says);
      } finally {
        await planted.heal?.();
        await Promise.allSettled(planted.calls);
      }
    });
  }

  it("is told in the log and in the error of a client that gives up, and only of the operations that were asked for", async () => {
    await setMode("first", "ADD:hang");
    const call = stage.cri.runtime.runPodSandbox({ config: goodPod("why-late") }, { deadlineMs: 1_500 });
    await assert.rejects(call);
    const log = async () =>
      /the client has left before its request was done.*CNI plugin first ADD.*helpers\/plugins\/first/.test(
        await stage.daemon.log(),
      );
    await until(log, "the log says why");
    assert.match((await why()).text, /its client has left; the work goes on/);
    assert.match((await why("k8s_why-late_bad-input_uid-why-late_0")).text, /CNI plugin first ADD/);
    assert.equal((await why("nobody")).text, "No operation about nobody is in flight.\n");
    await heal();
    await runPod("why-late");
  });

  async function untilSaid(says: readonly RegExp[]): Promise<void> {
    let text = "";
    const holds = async () => {
      text = (await why()).text;
      return says.every((pattern) => pattern.test(text));
    };
    await until(holds, () => `${says.filter((pattern) => !pattern.test(text)).join(", ")} in:\n${text}`);
  }

  async function until(holds: () => Promise<boolean>, what: string | (() => string)): Promise<void> {
    const deadline = Date.now() + 15_000;
    while (!(await holds())) {
      if (Date.now() > deadline) assert.fail(`not said: ${typeof what === "string" ? what : what()}`);
      await sleep(50);
    }
  }

  async function pidsInFlight(): Promise<readonly number[]> {
    const { operations } = await why();
    return operations.flatMap(({ waits }) => waits.flatMap(({ processes }) => processes.map(({ pid }) => pid)));
  }

  async function why(id?: string): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const path = id === undefined ? "/why" : `/why/${id}`;
    const asked = requestHttp({ socketPath: stage.daemon.socket, path, agent: false }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve(text);
    });
    asked.on("error", reject);
    asked.end();
    return JSON.parse(await promise);
  }

  async function pidOf(containerId: string): Promise<number> {
    const { info } = await calls().containerStatus({ containerId, verbose: true });
    return JSON.parse(info.info ?? "{}").pid;
  }

  async function sleepUntilIgnoring(containerId: string): Promise<void> {
    const pid = await pidOf(containerId);
    const ignores = async () => {
      const [, mask = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
      return (BigInt(`0x${mask}`) & (1n << 14n)) !== 0n;
    };
    await until(ignores, "the container ignores SIGTERM");
  }

  /** The cgroup above a container's. */
  async function freezerOf(containerId: string) {
    const lines = await readFile(`/proc/${await pidOf(containerId)}/cgroup`, "utf8");
    const [, v1] = /^\d+:freezer:(.*)\/[^/]+$/m.exec(lines) ?? [];
    if (v1 !== undefined) {
      return { file: `/sys/fs/cgroup/freezer${v1}/freezer.state`, frozen: "FROZEN", thawed: "THAWED" };
    }
    const [, v2 = ""] = /^0::(.*)\/[^/]+$/m.exec(lines) ?? [];
    return { file: `/sys/fs/cgroup${v2}/cgroup.freeze`, frozen: "1", thawed: "0" };
  }
});

/** Another process with the lock of a file, until it is killed. */
async function holdLock(path: string): Promise<ChildProcess> {
  const code = `
    import { lockFile } from ${JSON.stringify(join(projectRoot, "src/host/index.ts"))};
    await lockFile(${JSON.stringify(path)}, "write", { timeoutMs: 5000 });
    process.stdout.write("held");
    setInterval(() => {}, 1e6);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
  return child;
}

/** A FUSE mount whose server answers nothing, until it is killed. */
async function deadFuse(path: string): Promise<ChildProcess> {
  await mkdir(path, { recursive: true });
  const mount = `exec 3<>/dev/fuse; mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 dead ${path} && echo mounted; exec sleep 1000`;
  const child = spawn("sh", ["-c", mount], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => resolve());
    child.once("exit", () => reject(new Error("no FUSE mount")));
  });
  return child;
}
