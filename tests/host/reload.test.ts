/** SIGHUP: the daemon takes a changed configuration, all that it can or nothing, and goes on. */
import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Daemon } from "../support/daemon/index.ts";
import { fixtureNames } from "../support/fixtures/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { run } from "../support/programs.ts";
import { expectRefusal } from "./bad-input/refusal.ts";
import { execText, goodContainer, hostNetworkPod, openScene, type Scene, withPod } from "./bad-input/scene.ts";

const registriesConf = "/run/reload-registries.conf";
const second = `
[crio.runtime.runtimes.second]
runtime_path = "/usr/bin/crun"
runtime_root = "/run/crun"
monitor_cgroup = "pod"
`;

describe("a reload", () => {
  let scene: Scene;
  let config: string;
  let atFirst: Awaited<ReturnType<typeof takeInventory>>;
  before(async () => {
    await writeFile(registriesConf, "");
    atFirst = await takeInventory();
    scene = await openScene({ config: second, flags: ["--registries-conf", registriesConf] });
    config = await readFile(configFile(scene.daemon), "utf8");
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
    await expectNoLeaks(atFirst, { ignore: ["images"] });
    await rm(registriesConf);
  });

  it("takes the level of the log", async () => {
    await reload(config.replace('log_level = "debug"', 'log_level = "info"'));
    const before = (await scene.daemon.log()).length;
    await scene.cri.runtime.version({});
    assert.doesNotMatch((await scene.daemon.log()).slice(before), /level=debug/);
    assert.match(await reload(config), /Set config crio\.runtime\.log_level to \\"debug\\"/);
  });

  it("pins the images that are named now", async () => {
    const isPinned = async () => {
      const { image } = await scene.cri.image.imageStatus({ image: { image: fixtureNames.busybox } });
      return image?.pinned;
    };
    assert.equal(await isPinned(), false);
    await reload(`${config}\n[crio.image]\npinned_images = ["docker.io/library/busybox:*"]\n`);
    assert.equal(await isPinned(), true);
    await reload(config);
    assert.equal(await isPinned(), false);
  });

  it("obeys the registries as their files are now", async () => {
    const pull = () => scene.cri.image.pullImage({ image: { image: fixtureNames.busybox } });
    await writeFile(registriesConf, '[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\nblocked = true\n');
    await reload(config);
    await expectRefusal(pull(), { details: /blocked/ });
    await writeFile(registriesConf, "");
    await reload(config);
    await pull();
  });

  it("comes by itself for drop-ins of the registries, where that is asked for, and never for broken ones", async () => {
    await scene[Symbol.asyncDispose]();
    const dropIns = "/run/reload-registries.d";
    await mkdir(dropIns);
    const flags = ["--registries-conf", registriesConf, "--registries-conf-dir", dropIns, "--auto-reload-registries"];
    scene = await openScene({ config: second, flags });
    const pull = () => scene.cri.image.pullImage({ image: { image: fixtureNames.busybox } });
    const says = (words: string) => until(async () => (await scene.daemon.log()).includes(words));
    await pull();
    await writeFile(
      join(dropIns, "block.conf"),
      '[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\nblocked = true\n',
    );
    await until(async () =>
      pull().then(
        () => false,
        () => true,
      ),
    );
    await expectRefusal(pull(), { details: /blocked/ });
    await writeFile(join(dropIns, "broken.conf"), "[[registry");
    await says("system registries reload failed: ");
    await expectRefusal(pull(), { details: /blocked/ });
    await rm(join(dropIns, "broken.conf"));
    await rm(join(dropIns, "block.conf"));
    await until(async () =>
      pull().then(
        () => true,
        () => false,
      ),
    );
    await rm(dropIns, { recursive: true });
    await scene[Symbol.asyncDispose]();
    scene = await openScene({ config: second, flags: ["--registries-conf", registriesConf] });
    config = await readFile(configFile(scene.daemon), "utf8");
  });

  it("offers the runtime handlers of the table; pods of one that is gone go on and can be stopped", async () => {
    const { runtime } = scene.cri;
    const names = async () => (await runtime.status({})).runtimeHandlers.map(({ name }) => name);
    const request = { config: hostNetworkPod("reload"), runtimeHandler: "second" };
    await withPod(scene.cri, request, async (podSandboxId) => {
      const create = { podSandboxId, config: goodContainer("app"), sandboxConfig: request.config };
      const { containerId } = await runtime.createContainer(create);
      await runtime.startContainer({ containerId });
      await reload(config.replace(second, second.replace("second]", "third]")));
      assert.deepEqual((await names()).sort(), ["", "crun", "runc", "third"]);
      const other = { config: hostNetworkPod("other"), runtimeHandler: "second" };
      await expectRefusal(runtime.runPodSandbox(other), { details: /^failed to find runtime handler second/ });
      assert.equal(await execText(scene.cri, containerId, "echo", "still"), "still\n");
      await runtime.stopContainer({ containerId, timeout: 0n });
      await withPod(scene.cri, { ...other, runtimeHandler: "third" }, async () => {});
    });
    await reload(config);
  });

  it("says which options wait for the next start", async () => {
    const said = await reload(config.replace('cgroup_manager = "cgroupfs"', 'cgroup_manager = "systemd"'));
    assert.match(said, /this option changes only when crio is started again.*key=crio\.runtime\.cgroup_manager/);
    await reload(config);
  });

  const broken: readonly (readonly [what: string, spoil: (text: string) => string, words: RegExp])[] = [
    ["is no TOML", (text) => `${text}\n[[[`, /crio\.conf/],
    ["has a value of the wrong type", (text) => text.replace('"debug"', "7"), /log_level/],
    ["has a level that is none", (text) => text.replace('"debug"', '"loud"'), /loud/],
    ["has no default runtime", (text) => text.replace('default_runtime = "crun"', 'default_runtime = "x"'), /\bx\b/],
    [
      "names a runtime that is not there",
      (text) => text.replace("[crio.runtime.runtimes.crun]", '[crio.runtime.runtimes.crun]\nruntime_path = "/no/crun"'),
      /\/no\/crun/,
    ],
    [
      "names a seccomp profile that is none",
      (text) =>
        `${text}\n[crio.runtime.runtimes.bad]\nruntime_path = "/usr/bin/crun"\nseccomp_profile = "/etc/hostname"\n`,
      /hostname|seccomp/,
    ],
  ];
  for (const [what, spoil, words] of broken) {
    it(`changes nothing when the file ${what}, and says why`, async () => {
      const also = spoil(config).replace(
        "[crio.network]",
        '[crio.image]\npinned_images = ["docker.io/*"]\n[crio.network]',
      );
      const said = await reload(also, /Unable to reload configuration: .*; nothing has changed/);
      assert.match(said, words);
      const { image } = await scene.cri.image.imageStatus({ image: { image: fixtureNames.busybox } });
      assert.equal(image?.pinned, false);
      await reload(config);
    });
  }

  it("bears a hundred signals at once", async () => {
    for (let n = 0; n < 100; n++) process.kill(scene.daemon.pid, "SIGHUP");
    await reload(config);
    assert.equal((await scene.cri.runtime.version({})).runtimeName, "cri-o");
  });

  it("is told to the service manager", async () => {
    await scene[Symbol.asyncDispose]();
    // Node has no unix datagram sockets; socat writes what it is told into a file.
    const socket = "/run/reload-notify";
    const out = "/run/reload-notify.log";
    const listener = run(["socat", "-u", `UNIX-RECV:${socket}`, `OPEN:${out},creat,append`], { timeoutMs: 60_000 });
    await until(async () => (await run(["test", "-S", socket])).code === 0);
    scene = await openScene({
      config: second,
      flags: ["--registries-conf", registriesConf],
      env: { NOTIFY_SOCKET: socket },
    });
    await until(async () => (await readFile(out, "utf8").catch(() => "")).includes("READY=1"));
    await reload(config);
    await until(async () => /READY=1RELOADING=1\nMONOTONIC_USEC=\d+READY=1/.test(await readFile(out, "utf8")));
    await scene.daemon.stop();
    await until(async () => (await readFile(out, "utf8")).endsWith("STOPPING=1"));
    await run(["pkill", "-f", `UNIX-RECV:${socket}`]);
    await listener;
    await Promise.all([rm(socket, { force: true }), rm(out)]);
  });

  /** Writes the configuration, sends SIGHUP, and resolves with what the daemon says until it has said how that ended. */
  const reload = async (text: string, end = /Configuration reload completed/): Promise<string> => {
    await writeFile(configFile(scene.daemon), text);
    const before = (await scene.daemon.log()).length;
    process.kill(scene.daemon.pid, "SIGHUP");
    let said = "";
    await until(async () => {
      said = (await scene.daemon.log()).slice(before);
      return /Configuration reload completed|Unable to reload/.test(said);
    });
    assert.match(said, end);
    return said;
  };
});

function configFile({ dir }: Daemon): string {
  return join(dir, "crio.conf");
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, "it does not come");
    await sleep(20);
  }
}
