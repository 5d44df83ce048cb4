/** `crio check`, `crio wipe`, and what the daemon does by itself after a crash, a reboot or an upgrade. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Crictl, noCrictl } from "../support/daemon/crictl.ts";
import { type Daemon, startDaemon } from "../support/daemon/index.ts";
import { fixtureNames } from "../support/fixtures/index.ts";
import { differencesAfterSettling, takeInventory } from "../support/node/index.ts";
import { projectRoot } from "../support/paths.ts";
import { type Finished, run } from "../support/programs.ts";
import { podman, podmanImages, tryPodman } from "./store-sharing/others.ts";

const root = "/var/lib/containers/storage";
const clean = "/var/lib/crio/clean.shutdown";
const versionFile = "/var/run/crio/version";
const persist = "/var/lib/crio/version";
const doneMarker = "/run/crio/crio-wipe-done";
const waiting = "trap 'exit 0' TERM; while :; do sleep 0.1; done";

describe("crio check", { skip: noCrictl }, () => {
  it(
    "finds nothing wrong with what crio and podman have put there",
    alone(async () => {
      await using daemon = await startDaemon();
      const crictl = await Crictl.open(daemon.socket);
      for (const name of [fixtureNames.busybox, fixtureNames.layered, fixtureNames.configured])
        await crictl.do("pull", name);
      await podman("pull", "--quiet", fixtureNames.busyboxZstd);
      await podman("create", "--name", "theirs", "--network=none", "--cgroups=disabled", fixtureNames.layered, "true");
      await podman("tag", fixtureNames.layered, "example.com/other:1");
      await runOne(crictl, "ours");
      for (const flags of [[], ["--quick"], ["--age", "86400"], ["--age=-24h"]]) {
        const { code, stderr } = await crio(daemon, "check", ...flags);
        assert.equal(code, 0, stderr);
        assert.match(stderr, /Storage directory \/var\/lib\/containers\/storage has errors: false/);
      }
      await podman("rm", "theirs");
      await crictl.do("rmp", "--all", "--force");
    }),
  );

  it(
    "names one changed byte, and repairs by removing what stands on it, with leave only for containers",
    alone(async () => {
      await using daemon = await startDaemon();
      const crictl = await Crictl.open(daemon.socket);
      await crictl.do("pull", fixtureNames.layered);
      await podman("pull", "--quiet", fixtureNames.busyboxZstd);
      const { container } = await runOne(crictl, "stands", fixtureNames.layered);
      const { status } = await crictl.json("inspecti", fixtureNames.layered);
      const file = await largestFileOf(status.id);
      await flip(file);

      const found = await crio(daemon, "check");
      assert.equal(found.code, 1);
      assert.match(
        found.stderr,
        /level=fatal msg="\d+ layer errors, 0 read-only layer errors, \d+ image errors, 0 read-only image errors, \d+ container errors"/,
      );
      assert.match(found.stderr, /has another content/);
      const served = await crio(daemon, "check", "--repair", "--force");
      assert.equal(served.code, 1);
      assert.match(served.stderr, /a daemon serves .* stop it first; nothing was changed/);
      await daemon.stop();
      const withoutLeave = await crio(daemon, "check", "--repair");
      assert.equal(withoutLeave.code, 1);
      assert.ok(existsSync(join(root, "overlay-containers", container)));
      await end(container);
      assert.equal((await crio(daemon, "check", "--repair", "--force")).code, 0);
      assert.equal((await crio(daemon, "check")).code, 0);
      assert.ok(!existsSync(file));
      assert.ok((await podmanImages()).length > 0, "an image that is sound stays");

      await using again = await startDaemon({ dir: daemon.dir });
      await crictl.do("rmp", "--all", "--force");
      await crictl.do("pull", fixtureNames.layered);
      assert.equal((await crio(again, "check")).code, 0);
    }),
  );

  it(
    "wipes what it cannot open, but nothing that runs, unless forced, and no volume of podman's",
    alone(async () => {
      await using daemon = await startDaemon();
      const crictl = await Crictl.open(daemon.socket);
      await crictl.do("pull", fixtureNames.busybox);
      await podman("volume", "create", "kept");
      const mounted = await podman("image", "mount", fixtureNames.busybox);
      await daemon.stop();
      await writeFile(join(root, "overlay-images/images.json"), "[{");
      const { code, stderr } = await crio(daemon, "check", "--repair");
      assert.equal(code, 1);
      assert.match(stderr, /overlay-images\/images\.json/);
      const refused = await crio(daemon, "check", "--repair", "--wipe");
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /a container is running/);
      assert.ok(existsSync(join(mounted, "bin")));
      const wiped = await crio(daemon, "check", "--repair", "--wipe", "--force");
      assert.equal(wiped.code, 0, wiped.stderr);
      assert.deepEqual(await readdir(root), ["volumes"]);
      await using _again = await startDaemon({ dir: daemon.dir });
      assert.equal(await crictl.do("images", "--quiet"), "");
      assert.ok(existsSync(join(root, "volumes/kept/_data")));
      await rm(join(root, "volumes/kept"), { recursive: true });
    }),
  );
});

describe("crio wipe", { skip: noCrictl }, () => {
  const config = '[crio]\ninternal_wipe = false\nversion_file_persist = "/var/lib/crio/version"\n';

  it(
    "removes containers after a reboot and images after an upgrade, of crio's alone",
    alone(async () => {
      await using daemon = await startDaemon({ config });
      const crictl = await Crictl.open(daemon.socket);
      await crictl.do("pull", fixtureNames.busybox);
      await crictl.do("pull", fixtureNames.layered);
      await podman("create", "--name", "theirs", "--network=none", "--cgroups=disabled", fixtureNames.layered, "true");
      const { pod } = await runOne(crictl, "before");
      const asIs = await crio(daemon, "wipe");
      assert.equal(asIs.code, 0);
      assert.match(asIs.stderr, /nothing to wipe/);
      const served = await crio(daemon, "wipe", "--force");
      assert.equal(served.code, 1);
      assert.match(served.stderr, /a daemon serves/);
      await crictl.do("stopp", pod);
      await daemon.stop();

      await rm(versionFile);
      assert.equal((await crio(daemon, "wipe")).code, 0);
      const counts = async () => ({
        containers: JSON.parse(await podman("ps", "--all", "--external", "--format", "json")).length,
        images: (await podmanImages()).length,
      });
      assert.deepEqual(await counts(), { containers: 1, images: 2 });

      await using second = await startDaemon({ dir: daemon.dir, config });
      await crictl.do("rmp", "--force", (await runOne(crictl, "again")).pod);
      const { pod: third } = await runOne(crictl, "third");
      await crictl.do("stopp", third);
      await second.stop();
      await rm(versionFile);
      await writeFile(persist, '"1.20.0"');
      assert.equal((await crio(daemon, "wipe")).code, 0);
      assert.deepEqual(await counts(), { containers: 1, images: 1 });
      await podman("rm", "theirs");
      await using _last = await startDaemon({ dir: daemon.dir, config });
      await crictl.do("rmi", fixtureNames.layered);
    }),
  );

  it(
    "forced, ends what runs without a daemon and removes it",
    alone(async () => {
      await using daemon = await startDaemon();
      const crictl = await Crictl.open(daemon.socket);
      await crictl.do("pull", fixtureNames.busybox);
      const { pid } = await runOne(crictl, "runs");
      await daemon.stop();
      assert.equal((await crio(daemon, "wipe")).code, 0);
      assert.ok(existsSync(`/proc/${pid}`), "not forced, it leaves alone what runs");
      const wiped = await crio(daemon, "wipe", "--force");
      assert.equal(wiped.code, 0, wiped.stderr);
      assert.ok(!existsSync(`/proc/${pid}`));
      assert.deepEqual(await podmanImages(), []);
      await using _again = await startDaemon({ dir: daemon.dir });
      assert.equal(await crictl.do("pods", "--quiet"), "");
    }),
  );

  it(
    "removes the whole store after a power failure, once a boot, and never while a container is mounted",
    alone(async () => {
      await using daemon = await startDaemon();
      const crictl = await Crictl.open(daemon.socket);
      await crictl.do("pull", fixtureNames.busybox);
      const { pod } = await runOne(crictl, "lost");
      await daemon.stop("SIGKILL");
      await rm(versionFile);
      const refused = await crio(daemon, "wipe");
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /a container is running/);
      assert.ok(!existsSync(doneMarker));
      await using second = await startDaemon({ dir: daemon.dir });
      await crictl.do("rmp", "--force", pod);
      await second.stop("SIGKILL");
      await rm(versionFile);
      assert.equal((await crio(daemon, "wipe")).code, 0);
      assert.ok(!existsSync(root));
      assert.equal(await readFile(doneMarker, "utf8"), "done");
      assert.equal((await stat(doneMarker)).mode & 0o777, 0o644);
      await using third = await startDaemon({ dir: daemon.dir });
      await crictl.do("pull", fixtureNames.busybox);
      await third.stop("SIGKILL");
      await rm(versionFile);
      assert.equal((await crio(daemon, "wipe")).code, 0);
      assert.ok(existsSync(join(root, "overlay-images/images.json")), "done this boot");
      await rm(doneMarker);
      await using _last = await startDaemon({ dir: daemon.dir });
      await crictl.do("rmi", "--all");
    }),
  );
});

describe("the daemon after an end that was not its own", { skip: noCrictl }, () => {
  it(
    "repairs the store: a link is put back, a damaged image and its dead container go, what runs stays",
    alone(async () => {
      await using daemon = await startDaemon();
      const crictl = await Crictl.open(daemon.socket);
      await crictl.do("pull", fixtureNames.busybox);
      await crictl.do("pull", fixtureNames.configured);
      const runs = await runOne(crictl, "runs");
      const dead = await runOne(crictl, "dead", fixtureNames.configured);
      await crictl.do("stop", dead.container);
      const { status } = await crictl.json("inspecti", fixtureNames.configured);
      const { status: sound } = await crictl.json("inspecti", fixtureNames.busybox);
      await daemon.stop("SIGKILL");
      for (const name of await readdir(join(root, "overlay/l"))) await rm(join(root, "overlay/l", name));
      await truncate(join(root, "overlay-images", status.id, "manifest"));

      await using second = await startDaemon({ dir: daemon.dir });
      assert.match(await second.log(), /repaired the storage directory/);
      assert.equal(await crictl.do("exec", "--sync", runs.container, "echo", "still"), "still");
      assert.equal(await crictl.do("ps", "--all", "--quiet", "--no-trunc"), runs.container);
      assert.deepEqual(
        (await podmanImages()).map(({ Id }) => Id),
        [sound.id.replace("sha256:", "")],
      );
      const { container } = await runOne(crictl, "new");
      assert.equal(await crictl.do("exec", "--sync", container, "echo", "new"), "new");
      assert.equal((await crio(second, "check")).code, 0);
      await crictl.do("rmp", "--all", "--force");
    }),
  );

  it(
    "wipes a store that nobody can read and nothing runs in, and does not start while something does",
    alone(async () => {
      await using daemon = await startDaemon();
      const crictl = await Crictl.open(daemon.socket);
      await crictl.do("pull", fixtureNames.busybox);
      const { pod } = await runOne(crictl, "runs");
      await daemon.stop("SIGKILL");
      const images = await readFile(join(root, "overlay-images/images.json"));
      await writeFile(join(root, "overlay-images/images.json"), "[{");
      await assert.rejects(startDaemon({ dir: daemon.dir }), /a container is running/);
      await writeFile(join(root, "overlay-images/images.json"), images);
      await using second = await startDaemon({ dir: daemon.dir });
      await crictl.do("rmp", "--force", pod);
      await second.stop("SIGKILL");
      await truncate(join(root, "overlay-images/images.json"), 7);
      await using third = await startDaemon({ dir: daemon.dir });
      assert.match(await third.log(), /damaged beyond repair, and is wiped/);
      assert.equal(await crictl.do("images", "--quiet"), "");
      await crictl.do("pull", fixtureNames.busybox);
      await runOne(crictl, "again");
      await crictl.do("rmp", "--all", "--force");
    }),
  );

  it(
    "leaves a store as it is that is damaged after a clean end, and says so",
    alone(async () => {
      await using daemon = await startDaemon();
      await (await Crictl.open(daemon.socket)).do("pull", fixtureNames.busybox);
      await daemon.stop();
      assert.ok(existsSync(clean));
      const path = join(root, "overlay-images/images.json");
      const images = await readFile(path);
      await writeFile(path, "[{");
      await assert.rejects(startDaemon({ dir: daemon.dir }), /images\.json/);
      assert.equal(await readFile(path, "utf8"), "[{");
      await writeFile(path, images);
      await using _second = await startDaemon({ dir: daemon.dir });
    }),
  );
});

describe("internal_wipe", { skip: noCrictl }, () => {
  const config = '[crio]\nversion_file_persist = "/var/lib/crio/version"\n';

  it(
    "removes pods after a reboot, and their images too after an upgrade",
    alone(async () => {
      await using first = await startDaemon({ config });
      const crictl = await Crictl.open(first.socket);
      await crictl.do("pull", fixtureNames.busybox);
      await crictl.do("pull", fixtureNames.configured);
      await runOne(crictl, "a");
      await first.stop();
      await using same = await startDaemon({ config, dir: first.dir });
      assert.equal((await crictl.do("pods", "--quiet")).split("\n").length, 1);
      await same.stop();
      await rm(versionFile);
      await using booted = await startDaemon({ config, dir: first.dir });
      assert.equal(await crictl.do("pods", "--quiet"), "");
      assert.equal((await podmanImages()).length, 2);
      await runOne(crictl, "b");
      await booted.stop();
      await writeFile(persist, '"1.36.4+abc"');
      await using upgraded = await startDaemon({ config, dir: first.dir });
      assert.equal(await crictl.do("pods", "--quiet"), "");
      assert.deepEqual(
        (await podmanImages()).flatMap(({ Names }) => Names),
        [fixtureNames.configured],
      );
      assert.equal(await readFile(persist, "utf8"), await readFile(versionFile, "utf8"));
      await upgraded.stop();
      await rm(persist);
    }),
  );
});

/** Runs a test, after which the node must be as it was before, and its store empty. */
function alone(test: () => Promise<void>): () => Promise<void> {
  return async () => {
    const before = await takeInventory();
    try {
      await test();
    } catch (error) {
      await cleanUp().catch((cause: unknown) => console.error("cleaning up failed:", cause));
      throw error;
    }
    await cleanUp();
    assert.deepEqual(await differencesAfterSettling(before, { ignore: ["images"] }), []);
  };
}

/** Also of what a failed test has left damaged. */
async function cleanUp(): Promise<void> {
  await run([join(projectRoot, "bin/crio"), "check", "--repair", "--wipe", "--force"], { timeoutMs: 120_000 });
  await tryPodman("rm", "--all", "--force", "--time", "0");
  await using daemon = await startDaemon();
  const crictl = await Crictl.open(daemon.socket);
  await crictl.do("rmp", "--all", "--force");
  await crictl.do("rmi", "--all");
}

async function crio(daemon: Daemon, ...args: readonly string[]): Promise<Finished> {
  const config = ["--config", join(daemon.dir, "crio.conf"), "--config-dir", ""];
  return await run([join(projectRoot, "bin/crio"), ...config, ...args], { timeoutMs: 120_000 });
}

async function runOne(crictl: Crictl, name: string, image: string = fixtureNames.busybox) {
  const podFile = await crictl.podFile({ name, logDirectory: await mkdtemp("/run/logs-") });
  const pod = await crictl.do("runp", podFile);
  const file = await crictl.containerFile({ name: "app", image, command: ["/bin/sh", "-c", waiting] });
  const container = await crictl.do("create", pod, file, podFile);
  await crictl.do("start", container);
  const { info } = await crictl.json("inspect", container);
  return { pod, container, pid: info.pid };
}

/** Ends a container's process, where it has one still, without a daemon. */
async function end(container: string): Promise<void> {
  const state = JSON.parse(await readFile(join(root, "overlay-containers", container, "userdata/state.json"), "utf8"));
  await run(["kill", "-KILL", String(state.initPid)]);
}

async function flip(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

/** Of the topmost layer of an image. */
async function largestFileOf(image: string): Promise<string> {
  const id = image.replace("sha256:", "");
  const images = JSON.parse(await readFile(join(root, "overlay-images/images.json"), "utf8")) as {
    id: string;
    layer: string;
  }[];
  const diff = join(root, "overlay", images.find((each) => each.id === id)?.layer ?? "", "diff");
  const entries = await readdir(diff, { recursive: true, withFileTypes: true });
  const sized = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path, size: (await stat(path)).size };
      }),
  );
  return sized.toSorted((a, b) => b.size - a.size)[0]?.path ?? "";
}
