import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { Crictl, eventually } from "../../support/daemon/crictl.ts";
import { bridgeNetwork, type Daemon, type RuntimeName, startDaemon } from "../../support/daemon/index.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { compareInventories, type Inventory, takeInventory } from "../../support/node/index.ts";
import { mustRun, run } from "../../support/programs.ts";
import { type Gate, gatedPlugin, gatedRuntime } from "./gate.ts";
import { idsOf } from "./watch.ts";

const waiting = "trap 'exit 0' TERM; while :; do sleep 0.1; done";

/** A daemon whose pods' network, and whose containers of the handler `gated`, wait at gates while they are made. */
interface Place {
  readonly name: RuntimeName;
  readonly network: Gate;
  readonly runtime: Gate;
  readonly start: (before?: Daemon) => Promise<Daemon>;
}

async function withPlace(runtime: RuntimeName, test: (place: Place) => Promise<void>): Promise<void> {
  await using network = await gatedPlugin("gated", "/usr/lib/cni/bridge");
  const program = (await mustRun(["sh", "-c", `command -v ${runtime}`])).stdout.trim();
  await using gate = await gatedRuntime("gated", program);
  const [bridge] = bridgeNetwork.plugins;
  const start = (before?: Daemon) =>
    startDaemon({
      runtime,
      cni: { ...bridgeNetwork, plugins: [{ ...bridge, type: "gated" }] },
      pluginDirs: [network.dir],
      config: `[crio.runtime.runtimes.gated]
runtime_path = "${gate.path}"
runtime_root = "/run/${runtime}"
monitor_cgroup = "pod"
`,
      ...(before === undefined ? {} : { dir: before.dir }),
    });
  try {
    await test({ name: runtime, network, runtime: gate, start });
  } finally {
    await network.open();
    await gate.open();
  }
}

/** What is being made when the daemon is killed. */
interface Creation {
  readonly name: string;
  readonly gate: (place: Place) => Gate;
  /** Makes what is needed before, and resolves with the request itself: what crictl is told. */
  readonly prepare: (crictl: Crictl) => Promise<readonly string[]>;
  /** Whether the programs have done what was asked of them. */
  readonly isDone: (place: Place, id: string) => Promise<boolean>;
}

const creations: readonly Creation[] = [
  {
    name: "network",
    gate: ({ network }) => network,
    prepare: async (crictl) => {
      const podFile = await crictl.podFile({ name: "network" });
      return ["runp", podFile];
    },
    isDone: isAttached,
  },
  {
    name: "infra",
    gate: ({ runtime }) => runtime,
    prepare: async (crictl) => {
      const podFile = await crictl.podFile({ name: "infra", namespaces: { pid: 0 } });
      return ["runp", "--runtime", "gated", podFile];
    },
    isDone: isCreated,
  },
  {
    name: "container",
    gate: ({ runtime }) => runtime,
    prepare: async (crictl) => {
      const podFile = await crictl.podFile({ name: "container" });
      const pod = await crictl.do("runp", "--runtime", "gated", podFile);
      const file = await crictl.containerFile({
        name: "app",
        image: fixtureNames.busybox,
        command: ["/bin/sh", "-c", waiting],
      });
      return ["create", pod, file, podFile];
    },
    isDone: isCreated,
  },
];

/**
 * The daemon is killed in the middle of a creation, whose programs go on without it: to their end, or for ever. Either way the next
 * daemon knows nothing of it, nothing of it is left, and the same request succeeds.
 */
export async function cutOff(runtime: RuntimeName): Promise<void> {
  await withPlace(runtime, async (place) => {
    let daemon = await place.start();
    try {
      for (const creation of creations) {
        for (const orphans of ["wait", "finish"] as const)
          daemon = await cutOffOne(place, daemon, { creation, orphans });
      }
    } finally {
      await daemon[Symbol.asyncDispose]();
    }
  });
}

/** Kills the daemon, and resolves with the next one. */
async function cutOffOne(
  place: Place,
  first: Daemon,
  { creation, orphans }: { readonly creation: Creation; readonly orphans: "wait" | "finish" },
): Promise<Daemon> {
  const crictl = await openWithImages(first);
  const request = await creation.prepare(crictl);
  const before = await inventoryBut(first);
  const what = `the creation of a ${creation.name} whose programs ${orphans}`;

  const gate = creation.gate(place);
  await gate.close();
  const earlier = (await gate.arrivals()).length;
  const refused = assert.rejects(crictl.do(...request), what);
  await gate.untilArrived(earlier + 1);
  await first.stop("SIGKILL");
  await refused;
  if (orphans === "finish") {
    await gate.open();
    const id = await lastArrival(gate);
    await eventually(`the programs of ${what}`, () => creation.isDone(place, id));
  }

  const second = await place.start(first);
  try {
    await gate.open();
    await eventually(`${what} leaves nothing`, async () => {
      const left = compareInventories(before, await inventoryBut(second));
      return left.length === 0;
    }).catch(async (error: unknown) => {
      assert.deepEqual(compareInventories(before, await inventoryBut(second)), [], `${what}: ${error}`);
    });
    const id = await crictl.do(...request);
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.equal(await crictl.do(...request), id, "it is there");
    await crictl.do("rmp", "--all", "--force");
    return second;
  } catch (error) {
    await second[Symbol.asyncDispose]();
    throw error;
  }
}

async function openWithImages(daemon: Daemon): Promise<Crictl> {
  const crictl = await Crictl.open(daemon.socket);
  await crictl.do("pull", fixtureNames.busybox);
  await crictl.do("pull", fixtureNames.pause);
  return crictl;
}

/** An inventory without the daemon itself. */
async function inventoryBut(daemon: Daemon): Promise<Inventory> {
  const inventory = new Map(await takeInventory());
  const processes = inventory.get("processes") ?? [];
  return inventory.set(
    "processes",
    processes.filter((line) => !line.endsWith(`(pid ${daemon.pid})`)),
  );
}

async function isAttached(): Promise<boolean> {
  const inventory = await takeInventory();
  const busy = inventory.get("processes")?.some((line) => line.includes("/cni/bridge") || line.includes("/bin/gated"));
  return !busy && inventory.get("address leases")?.some((line) => line.includes("/10.88.77.")) === true;
}

async function isCreated({ name }: Place, id: string): Promise<boolean> {
  const { stdout } = await run([name, "--root", `/run/${name}`, "state", id]);
  return /"status": *"created"/.test(stdout);
}

/** The id of what came to the gate last. */
async function lastArrival(gate: Gate): Promise<string> {
  const id = (await gate.arrivals()).at(-1)?.split(" ").at(-1) ?? "";
  assert.match(id, /^[0-9a-f]{64}$/);
  return id;
}

/** A client that gives up too early and asks again gets what the first request made; nothing is made twice. */
export async function retried(runtime: RuntimeName): Promise<void> {
  await withPlace(runtime, async (place) => {
    await using daemon = await place.start();
    const crictl = await openWithImages(daemon);
    for (const creation of creations) {
      for (const comesBack of ["before", "after"] as const) await retryOne(place, crictl, { creation, comesBack });
    }
  });
}

async function retryOne(
  place: Place,
  crictl: Crictl,
  { creation, comesBack }: { readonly creation: Creation; readonly comesBack: "before" | "after" },
): Promise<void> {
  const request = await creation.prepare(crictl);
  const gate = creation.gate(place);
  await gate.close();
  const earlier = (await gate.arrivals()).length;
  for (let hasty = 1; hasty <= 2; hasty++) {
    const { code, stderr } = await crictl.try("--timeout", "1s", ...request);
    assert.notEqual(code, 0);
    assert.match(stderr, /DeadlineExceeded/);
  }
  const id = await lastArrival(gate);
  assert.ok(!(await isListed(crictl, id)), "what is being made is not listed");
  if (comesBack === "before") {
    const patient = crictl.do(...request);
    await gate.open();
    assert.equal(await patient, id);
  } else {
    await gate.open();
    const state = `/var/lib/containers/storage/overlay-containers/${id}/userdata/state.json`;
    await eventually("it is made", () =>
      access(state).then(
        () => true,
        () => false,
      ),
    );
    assert.ok(!(await isListed(crictl, id)), "what nobody was told of is not listed");
    assert.equal(await crictl.do(...request), id);
  }
  assert.ok(await isListed(crictl, id));
  assert.equal((await gate.arrivals()).length, earlier + 1, "nothing is made twice");
  await crictl.do("rmp", "--all", "--force");
}

async function isListed(crictl: Crictl, id: string): Promise<boolean> {
  return (await idsOf(crictl, "pods")).includes(id) || (await idsOf(crictl, "ps", "--all")).includes(id);
}
