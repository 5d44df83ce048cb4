/** The loopback registry and the fixture images, as real clients see them. Runs in a node. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { buildImage, fixtureNames, layeredResult, writeTar } from "../support/fixtures/index.ts";
import { mustRun, run } from "../support/programs.ts";
import { type FaultRule, registryControl } from "../support/registry/index.ts";

const inNode = process.env.CRIO_TS_REGISTRY !== undefined;
const control = registryControl();
const busybox = "https://registry-1.docker.io/v2/library/busybox";

describe("the registry of a node", { skip: inNode ? false : "needs the registry of a throw-away node" }, () => {
  afterEach(async () => {
    await control.setFaults([]);
    await control.setAuth([]);
  });

  it("is trusted under real names, by Node and by Go programs", async () => {
    const response = await fetch(`${busybox}/manifests/latest`);
    assert.equal(response.headers.get("content-type"), "application/vnd.oci.image.index.v1+json");
    await mustRun(["skopeo", "inspect", "--raw", `docker://${fixtureNames.pause}`]);
    await mustRun(["skopeo", "inspect", "--tls-verify=false", "docker://127.0.0.1:5000/library/busybox:docker"]);
  });

  it("serves every fixture so that skopeo accepts it", async () => {
    const there = Object.values(fixtureNames).filter((name) => name !== fixtureNames.foreign);
    for (const name of there) await mustRun(["skopeo", "inspect", `docker://${name}`]);
    assert.notEqual((await run(["skopeo", "inspect", `docker://${fixtureNames.foreign}`])).code, 0);
  });

  it("has layers that add up to what they should, as podman unpacks them", async () => {
    const root = await mkdtemp("/var/tmp/harness-store-");
    const podman = (...args: string[]) => mustRun(["podman", "--root", root, "--runroot", `${root}-run`, ...args]);
    try {
      await podman("pull", "--quiet", fixtureNames.layered);
      const merged = (await podman("image", "mount", fixtureNames.layered)).stdout.trim();
      const found = (await mustRun(["find", join(merged, "data"), "-mindepth", "1", "-printf", "%P\\n"])).stdout
        .trim()
        .split("\n");
      assert.deepEqual(found.toSorted(), [...layeredResult.present].toSorted());
      assert.equal(await readFile(join(merged, "data/linked-too"), "utf8"), "one file, two names\n");
    } finally {
      await podman("image", "unmount", "--all");
      await podman("rmi", "--all", "--force");
      await run(["umount", join(root, "overlay")]);
      await rm(root, { recursive: true, force: true });
      await rm(`${root}-run`, { recursive: true, force: true });
    }
  });

  it("answers ranges, and refuses one beyond the end", async () => {
    const blob = await blobUrl();
    const whole = Buffer.from(await (await fetch(blob)).arrayBuffer());
    const part = await fetch(blob, { headers: { range: "bytes=10-19" } });
    assert.equal(part.status, 206);
    assert.deepEqual(Buffer.from(await part.arrayBuffer()), whole.subarray(10, 20));
    assert.equal((await fetch(blob, { headers: { range: `bytes=${whole.length}-` } })).status, 416);
  });

  it("asks for a user where it is told to", async () => {
    await control.setAuth([{ prefix: "library/", mode: { is: "basic", user: "u", password: "p" } }]);
    assert.equal((await fetch(`${busybox}/manifests/latest`)).status, 401);
    await mustRun(["skopeo", "inspect", "--creds", "u:p", `docker://${fixtureNames.busybox}`]);
    await mustRun(["skopeo", "inspect", `docker://${fixtureNames.pause}`]);
  });

  it("hands out tokens where it is told to, to whom it is told to", async () => {
    await control.setAuth([{ prefix: "library/", mode: { is: "bearer", user: "u", password: "p" } }]);
    const refused = await fetch(`${busybox}/manifests/latest`);
    assert.match(
      refused.headers.get("www-authenticate") ?? "",
      /^Bearer realm="https:\/\/registry-1\.docker\.io\/token"/,
    );
    await mustRun(["skopeo", "inspect", "--creds", "u:p", `docker://${fixtureNames.busybox}`]);
    assert.notEqual(
      (await run(["skopeo", "inspect", "--creds", "u:wrong", `docker://${fixtureNames.busybox}`])).code,
      0,
    );
  });

  it("takes what skopeo pushes", async () => {
    const target = "docker://127.0.0.1:5000/pushed/busybox:1";
    await mustRun(["skopeo", "copy", "--dest-tls-verify=false", `docker://${fixtureNames.busybox}`, target]);
    await mustRun(["skopeo", "inspect", "--tls-verify=false", target]);
  });

  it("spoils answers as it is told to, and heals", async () => {
    const blob = await blobUrl();
    const good = Buffer.from(await (await fetch(blob)).arrayBuffer());
    const withFault = async (fault: FaultRule["fault"]) => {
      await control.setFaults([{ path: "/blobs/", times: 1, fault }]);
      return fetch(blob, { signal: AbortSignal.timeout(1_500) });
    };
    const bytes = async (response: Response) => Buffer.from(await response.arrayBuffer());

    assert.equal((await withFault({ is: "status", status: 503 })).status, 503);
    const flipped = await bytes(await withFault({ is: "flip", atByte: 100 }));
    assert.equal(flipped[100], (good[100] ?? 0) ^ 1);
    assert.equal((await bytes(await withFault({ is: "extra", bytes: 3 }))).length, good.length + 3);
    assert.equal(
      (await withFault({ is: "digest-header", digest: "sha256:no" })).headers.get("docker-content-digest"),
      "sha256:no",
    );
    for (const is of ["reset", "truncate", "stall"] as const) {
      await assert.rejects(
        async () => bytes(await withFault({ is, afterBytes: 1000 })),
        `${is} must break the body off`,
      );
    }
    assert.deepEqual(await bytes(await fetch(blob)), good);
  });

  it("lets so many requests pass before a fault sets in, and tells what was asked", async () => {
    await control.takeRequests();
    await control.setFaults([
      { path: "/manifests/", host: "^registry-1", skip: 1, times: 1, fault: { is: "status", status: 429 } },
    ]);
    const statuses = [];
    for (let turn = 0; turn < 3; turn++) statuses.push((await fetch(`${busybox}/manifests/latest`)).status);
    assert.deepEqual(statuses, [200, 429, 200]);
    const seen = await control.takeRequests();
    assert.deepEqual(
      seen.map((request) => request.status),
      [200, 429, 200],
    );
    assert.equal(seen[0]?.secure, true);
  });
});

describe("fixture images", () => {
  it("have the same digest whenever they are built", () => {
    const build = () =>
      buildImage({
        layers: [[{ is: "file", path: "a", content: "b" }]],
        config: {},
        platform: { os: "linux", architecture: "amd64" },
      });
    assert.equal(build().manifest.digest, build().manifest.digest);
  });

  it("are made of archives that tar reads back", async () => {
    const archive = writeTar([
      { is: "directory", path: "empty", mode: 0o711 },
      { is: "file", path: `${"deep/".repeat(40)}ü`, content: "long", uid: 3, gid: 4, mode: 0o4755 },
      { is: "symlink", path: "link", target: "t".repeat(150) },
    ]);
    const listed = await run(["tar", "--numeric-owner", "-tvf", "-"], { input: archive });
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stdout, /^drwx--x--x 0\/0 .* empty\/$/m);
    assert.match(listed.stdout, /^-rwsr-xr-x 3\/4 +4 /m);
    assert.match(listed.stdout, /^lrwxrwxrwx 0\/0 .* link -> t{150}$/m);
  });
});

/** The layer of a busybox image without an index. */
async function blobUrl(): Promise<string> {
  const manifest = (await (await fetch(`${busybox}/manifests/zstd`)).json()) as { layers: { digest: string }[] };
  return `${busybox}/blobs/${manifest.layers[0]?.digest}`;
}
