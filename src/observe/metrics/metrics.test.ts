import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Operations } from "../../base/index.ts";
import { Metrics, type PullProgressReading } from "./metrics.ts";

async function metricsOf(collectors: readonly string[], pulls: readonly PullProgressReading[] = []): Promise<Metrics> {
  return await Metrics.create({
    collectors,
    operations: new Operations(),
    defaultRuntime: () => "crun",
    pulls: () => pulls,
  });
}

describe("the metrics", () => {
  it("keep a thousand names of reused layers, and let the one go that was longest ago", async () => {
    const metrics = await metricsOf(["image_layer_reuse_total"]);
    for (let n = 0; n < 1000; n++) metrics.layerReused(`image-${n}`, "layer");
    metrics.layerReused("image-0", "layer");
    metrics.layerReused("one-more", "layer");
    const text = await metrics.text();
    assert.equal(text.match(/^container_runtime_crio_image_layer_reuse_total\{/gm)?.length, 1000);
    assert.match(text, /image_layer_reuse_total\{name="image-0@layer"\} 2/);
    assert.doesNotMatch(text, /"image-1@layer"/);
  });

  it("tell how far pulls are, and forget it when they are done", async () => {
    const pulls = [{ image: "busybox", layer: "sha256:1", receivedBytes: 5, sizeBytes: 7 }];
    const metrics = await metricsOf([], pulls);
    assert.match(await metrics.text(), /crio_ts_pull_layer_received_bytes\{image="busybox",layer="sha256:1"\} 5/);
    pulls.length = 0;
    assert.doesNotMatch(await metrics.text(), /busybox/);
  });

  it("forget what is counted by a container's name with the container", async () => {
    const metrics = await metricsOf([
      "containers_oom_total",
      "containers_oom_count_total",
      "containers_stopped_monitor_count",
    ]);
    metrics.outOfMemory("k8s_app");
    metrics.monitorDied("k8s_app");
    assert.equal((await metrics.text()).match(/k8s_app/g)?.length, 2);
    metrics.containerRemoved("k8s_app");
    const text = await metrics.text();
    assert.doesNotMatch(text, /k8s_app/);
    assert.match(text, /^container_runtime_crio_containers_oom_total 1$/m);
  });
});
