/** The HTTP endpoints of the CRI socket, as cAdvisor and `crio status` use them. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { goodContainer, hostNetworkPod, openScene, type Scene, withContainer, withPod } from "./bad-input/scene.ts";

describe("the inspect endpoints", () => {
  let scene: Scene;
  let atFirst: Awaited<ReturnType<typeof takeInventory>>;
  before(async () => {
    atFirst = await takeInventory();
    scene = await openScene();
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
    await expectNoLeaks(atFirst, { ignore: ["images"] });
  });

  it("tell of the storage and the cgroups", async () => {
    const { status, body } = await get("/info");
    assert.equal(status, 200);
    assert.match(body, /"size":9223372036854775807/);
    const info = JSON.parse(body);
    assert.deepEqual(Object.keys(info), [
      ...["storage_driver", "storage_image", "storage_root", "cgroup_driver", "default_id_mappings"],
    ]);
    assert.equal(info.storage_driver, "overlay");
    assert.equal(info.cgroup_driver, "cgroupfs");
  });

  it("give the configuration in force", async () => {
    const { status, type, body } = await get("/config");
    assert.equal(status, 200);
    assert.equal(type, "application/toml");
    assert.match(body, /^\[crio\.runtime\]$/m);
    assert.match(body, /log_level = "debug"/);
  });

  it("tell of a container and of its pod's infra container, and freeze and thaw it", async () => {
    const config = hostNetworkPod("inspected");
    await withPod(scene.cri, { config }, async (podSandboxId) => {
      const container = goodContainer("inspected", { annotations: { from: "kubelet" } });
      const wanted = { podSandboxId, sandboxConfig: config, config: container };
      await withContainer(scene.cri, wanted, (containerId) => inspect(podSandboxId, containerId));
    });
  });

  async function inspect(podSandboxId: string, containerId: string): Promise<void> {
    const { body } = await get(`/containers/${containerId}`);
    assert.match(body, /"created_time":\d{19},/);
    const info = JSON.parse(body);
    assert.deepEqual(Object.keys(info), [
      ...["name", "pid", "image", "image_ref", "created_time", "labels", "annotations", "crio_annotations"],
      ...["log_path", "root", "sandbox", "ip_addresses", "host_network"],
    ]);
    assert.match(info.name, /^k8s_inspected_/);
    assert.match(await readFile(`/proc/${info.pid}/cgroup`, "utf8"), new RegExp(containerId));
    assert.equal(info.sandbox, podSandboxId);
    assert.deepEqual(info.annotations, { from: "kubelet" });
    assert.equal(info.crio_annotations["io.kubernetes.cri-o.ContainerID"], containerId);
    assert.equal(info.host_network, true);
    const infra = JSON.parse((await get(`/containers/${podSandboxId}`)).body);
    assert.equal(infra.pid, info.pid, "an infra container without a process has the pid of a container");

    assert.deepEqual((await get(`/unpause/${containerId}`)).status, 409);
    assert.deepEqual(await get(`/pause/${containerId}`), { status: 200, type: "text/html", body: "200 OK" });
    const again = await get(`/pause/${containerId}`);
    assert.equal(again.status, 409);
    assert.match(again.body, /is not in running or created state, now is paused/);
    assert.equal((await get(`/unpause/${containerId}`)).status, 200);
    const { status } = await get(`/containers/${containerId.slice(0, 12)}`);
    assert.equal(status, 404, "by full ids alone");
  }

  it("know what is not there", async () => {
    assert.deepEqual(await get("/containers/abc"), {
      status: 404,
      type: "text/plain; charset=utf-8",
      body: "can't find the container with id abc\n",
    });
    assert.equal((await get("/pause/abc")).status, 404);
    assert.equal((await get("/nothing")).status, 404);
    assert.equal((await get("/debug/pprof/")).status, 404, "profiles are asked for by a variable");
  });

  it("show what the daemon does, and its heap", async () => {
    assert.match((await get("/debug/goroutines")).body, /operations in flight: 0/);
    const heap = await get("/debug/heap");
    assert.equal(heap.type, "application/octet-stream");
    assert.ok(JSON.parse(heap.body).snapshot.node_count > 1000);
  });

  it("say that nothing is stuck where nothing is", async () => {
    assert.equal(JSON.parse((await get("/why")).body).text, "No operation is in flight.\n");
  });

  function get(path: string): Promise<{ status: number | undefined; type: string | undefined; body: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof get>>>();
    const asked = request({ socketPath: scene.daemon.socket, path, headers: { host: "crio" }, agent: false });
    asked.on("error", reject);
    asked.on("response", async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const body = Buffer.concat(chunks).toString();
      resolve({ status: response.statusCode, type: response.headers["content-type"], body });
    });
    asked.end();
    return promise;
  }
});
