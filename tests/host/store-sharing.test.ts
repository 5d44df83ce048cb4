/** One store, several programs: what the daemon pulled podman and skopeo read, and the reverse, at the same time too. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Crictl, eventually, noCrictl } from "../support/daemon/crictl.ts";
import { type Daemon, startDaemon } from "../support/daemon/index.ts";
import { fixtureNames, layeredResult } from "../support/fixtures/index.ts";
import { differencesAfterSettling, takeInventory } from "../support/node/index.ts";
import {
  blobsOf,
  digestOf,
  podman,
  podmanImages,
  podmanRun,
  servedImage,
  skopeo,
  tryPodman,
} from "./store-sharing/others.ts";

/** Every way in which the fixtures are packed. */
const variants = [
  fixtureNames.busybox,
  fixtureNames.busyboxDocker,
  fixtureNames.busyboxZstd,
  fixtureNames.busyboxPlain,
  fixtureNames.layered,
  fixtureNames.configured,
];
const waiting = "trap 'exit 0' TERM; while :; do sleep 0.1; done";

describe("a store shared with podman and skopeo", { skip: noCrictl }, () => {
  let daemon: Daemon | undefined;
  before(async () => {
    daemon = await startDaemon();
  });
  after(() => daemon?.[Symbol.asyncDispose]());

  /** Runs a test whose pods and images are removed after it, and fails when anything else is left. */
  const sharing = (test: (crictl: Crictl, restart: () => Promise<void>) => Promise<void>) => async () => {
    assert.ok(daemon !== undefined, "the daemon did not start");
    const crictl = await Crictl.open(daemon.socket);
    const inventory = await takeInventory();
    const restart = async () => {
      await daemon?.stop();
      daemon = await startDaemon({ ...(daemon && { dir: daemon.dir }) });
    };
    try {
      await test(crictl, restart);
    } finally {
      await Promise.all([tryPodman("rm", "--all", "--force", "--time", "0"), crictl.do("rmp", "--all", "--force")]);
      await crictl.do("rmi", "--all");
    }
    // The daemon may be another one by now; what else runs is seen when the node ends.
    assert.deepEqual(await differencesAfterSettling(inventory, { ignore: ["processes", "mounts"] }), []);
    await expectNothingMounted();
  };

  for (const name of variants) {
    it(
      `gives them ${name} as the registry has it`,
      sharing(async (crictl) => {
        await crictl.do("pull", name);
        const served = await servedImage(name);
        const listed = (await podmanImages()).find(({ Names }) => Names.includes(name));
        assert.deepEqual(listed && { id: listed.Id, digest: listed.Digest, created: listed.Created }, {
          id: served.id,
          digest: served.manifestDigest,
          created: served.created,
        });
        const stored = `containers-storage:${name}`;
        assert.equal(digestOf(await skopeo(["inspect", "--raw", stored])), served.manifestDigest, "its very manifest");
        const folder = await mkdtemp("/run/copied-");
        await skopeo(["copy", "--quiet", stored, `dir:${folder}`]);
        assert.deepEqual(await blobsOf(folder), [`sha256:${served.id}`, ...new Set(served.diffIds)].toSorted());
        await rm(folder, { recursive: true });
        assert.equal(await podmanRun(name, "/bin/cat", "/etc/hostname-of-the-image"), "fixture");
      }),
    );
  }

  it(
    "shows podman the files that all layers add up to",
    sharing(async (crictl) => {
      await crictl.do("pull", fixtureNames.layered);
      const found = await podmanRun(fixtureNames.layered, "/bin/sh", "-c", "cd /data && find . | sort");
      const paths = found.split("\n").map((path) => path.replace(/^\.\/?/, ""));
      assert.deepEqual(paths.filter((path) => path !== "").toSorted(), [...layeredResult.present].toSorted());
    }),
  );

  for (const name of [fixtureNames.busybox, fixtureNames.busyboxDocker, fixtureNames.layered]) {
    it(
      `lists and runs ${name} that skopeo put there`,
      sharing(async (crictl) => {
        await skopeo(["copy", "--quiet", `docker://${name}`, `containers-storage:${name}`]);
        await runFound(crictl, name);
      }),
    );
  }

  it(
    "lists and runs an image that skopeo fetched in parts, file by file",
    sharing(async (crictl) => {
      const pushed = "127.0.0.1:5000/crio-ts/chunked:latest";
      await crictl.do("pull", fixtureNames.layered);
      const chunked = ["--compression-format", "zstd:chunked", "--force-compression", "--tls-verify=false"];
      await podman("push", "--quiet", ...chunked, fixtureNames.layered, `docker://${pushed}`);
      await crictl.do("rmi", fixtureNames.layered);
      const name = "docker.io/crio-ts/chunked:latest";
      const parts = ["copy", "--quiet", "--src-tls-verify=false", `docker://${pushed}`, `containers-storage:${name}`];
      await skopeo(parts, { CONTAINERS_STORAGE_CONF: await partialPulls() });
      await runFound(crictl, name);
    }),
  );

  it(
    "lets podman's containers and the daemon's live side by side",
    sharing(async (crictl, restart) => {
      await crictl.do("pull", fixtureNames.busybox);
      const ours = await runWaiting(crictl, "beside");
      const theirs = await podman(
        ...["run", "--detach", "--name", "theirs", "--network=none", "--cgroups=disabled", fixtureNames.busybox],
        ...["/bin/sh", "-c", waiting],
      );
      assert.equal(await crictl.do("ps", "--all", "--quiet", "--no-trunc"), ours, "the daemon lists its own");
      assert.equal(await podman("ps", "--all", "--no-trunc", "--format", "{{.ID}}"), theirs, "and podman its own");
      await restart();
      assert.equal(await crictl.do("exec", "--sync", ours, "echo", "ours"), "ours");
      assert.equal(await podman("exec", "theirs", "echo", "theirs"), "theirs");

      await podman("stop", "--time", "5", "theirs");
      await podman("rm", "theirs");
      await podman("container", "prune", "--force");
      await podman("image", "prune", "--all", "--force");
      assert.equal(await crictl.do("exec", "--sync", ours, "cat", "/etc/hostname-of-the-image"), "fixture");
      assert.deepEqual(
        (await podmanImages()).map(({ Names }) => Names),
        [[fixtureNames.busybox]],
      );
    }),
  );

  it(
    "keeps an image that somebody's container is made of from everybody",
    sharing(async (crictl) => {
      await crictl.do("pull", fixtureNames.busybox);
      const ours = await runWaiting(crictl, "user");
      const refused = await tryPodman("rmi", fixtureNames.busybox);
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /in use by/);
      await crictl.do("rm", "--force", ours);
      const theirs = await podman("create", "--network=none", "--cgroups=disabled", fixtureNames.busybox, "true");
      const refusedToo = await crictl.try("rmi", fixtureNames.busybox);
      assert.notEqual(refusedToo.code, 0);
      assert.match(refusedToo.stderr, new RegExp(`image used by ${theirs}`));
      await podman("rm", theirs);
      await crictl.do("rmi", fixtureNames.busybox);
      assert.deepEqual(await podmanImages(), []);
    }),
  );

  it(
    "follows what podman does to images, at once",
    sharing(async (crictl) => {
      await crictl.do("pull", fixtureNames.busybox);
      await podman("tag", fixtureNames.busybox, "example.com/other:1");
      assert.match(await crictl.do("images"), /example\.com\/other\s+1/);
      await podman("rmi", "example.com/other:1");
      assert.doesNotMatch(await crictl.do("images"), /example\.com/);
      await podman("pull", "--quiet", fixtureNames.configured);
      assert.match(await crictl.do("images"), /quay\.io\/crio-ts\/configured/);
      await podman("rmi", "--all");
      assert.equal(await crictl.do("images", "--quiet"), "");
      await crictl.do("pull", fixtureNames.busybox);
      assert.equal((await podmanImages()).length, 1);
    }),
  );

  it(
    "survives podman and the daemon pulling and removing at the same time",
    sharing(async (crictl) => {
      const [left, right] = [fixtureNames.layered, fixtureNames.configured];
      for (let round = 0; round < 2; round++) {
        await Promise.all([crictl.do("pull", left), podman("pull", "--quiet", left), crictl.do("pull", right)]);
        assert.equal(await podmanRun(left, "/bin/cat", "/data/kept"), "from the first layer");
        await Promise.all([crictl.do("rmi", left), podman("rmi", right)]);
        assert.equal(await crictl.do("images", "--quiet"), "");
      }
    }),
  );
});

/** But for the mount of the overlay directory on itself, which every program makes when it is not there, and takes away again. */
async function expectNothingMounted(): Promise<void> {
  const home = "/var/lib/containers/storage/overlay";
  const table = await readFile("/proc/self/mountinfo", "utf8");
  const points = table.split("\n").map((line) => line.split(" ")[4] ?? "");
  assert.deepEqual(
    points.filter((point) => point.startsWith(`${home}/`)),
    [],
  );
  assert.ok(points.filter((point) => point === home).length <= 1, table);
}

/** An image of the store that somebody else put there is listed as theirs is, and can be run and removed. */
async function runFound(crictl: Crictl, name: string): Promise<void> {
  const [theirs] = await podmanImages();
  const { status } = await crictl.json("inspecti", name);
  assert.equal(status.id, theirs?.Id);
  assert.deepEqual(await imageNames(crictl), [name]);
  const podFile = await crictl.podFile({ name: "found", logDirectory: await mkdtemp("/run/logs-") });
  const pod = await crictl.do("runp", podFile);
  const script = "cat /etc/hostname-of-the-image; cat /data/kept 2>/dev/null; echo done";
  const containerFile = await crictl.containerFile({ name: "app", image: name, command: ["/bin/sh", "-c", script] });
  const container = await crictl.do("create", pod, containerFile, podFile);
  await crictl.do("start", container);
  const said = await eventually("it ends", async () => {
    const { stdout } = await crictl.try("logs", container);
    return stdout.endsWith("done\n") ? stdout : undefined;
  });
  assert.match(said, /^fixture\n(from the first layer\n)?done\n$/);
  await crictl.do("rmp", "--force", pod);
  await crictl.do("rmi", name);
  assert.deepEqual(await podmanImages(), []);
}

async function imageNames(crictl: Crictl): Promise<readonly string[]> {
  const { images } = JSON.parse(await crictl.do("images", "--output", "json")) as {
    images: { repoTags: readonly string[] }[];
  };
  return images.flatMap(({ repoTags }) => repoTags);
}

async function runWaiting(crictl: Crictl, name: string): Promise<string> {
  const podFile = await crictl.podFile({ name });
  const pod = await crictl.do("runp", podFile);
  const command = ["/bin/sh", "-c", waiting];
  const containerFile = await crictl.containerFile({ name: "app", image: fixtureNames.busybox, command });
  const container = await crictl.do("create", pod, containerFile, podFile);
  await crictl.do("start", container);
  return container;
}

/** A storage.conf(5) of the same store that lets layers be fetched in parts. */
async function partialPulls(): Promise<string> {
  const path = join(await mkdtemp("/run/partial-"), "storage.conf");
  await writeFile(
    path,
    `[storage]
driver = "overlay"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
[storage.options]
pull_options = { enable_partial_images = "true", use_hard_links = "false", ostree_repos = "" }
`,
  );
  return path;
}
