/** The Prometheus endpoint: every metric of CRI-O's by name, type and labels; on an address and a socket; with TLS. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { stat, writeFile } from "node:fs/promises";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { testCertificate } from "../../src/registry/testing/certificate.ts";
import { eventually } from "../support/daemon/crictl.ts";
import { startDaemon } from "../support/daemon/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { goodContainer, hostNetworkPod, openScene, type Scene, withContainer, withPod } from "./bad-input/scene.ts";
import { type Family, lint } from "./metrics/lint.ts";

const socketPath = "/run/metrics-test/metrics.sock";
const config = `
[crio.metrics]
enable_metrics = true
metrics_port = 9537
metrics_socket = "${socketPath}"
`;

/** Reference: annotations-and-features.md 13. */
const expected: readonly (readonly [name: string, type: string, ...labels: readonly string[]])[] = [
  ["operations_total", "counter", "operation"],
  ["operations_errors_total", "counter", "operation"],
  ["operations_latency_seconds", "gauge", "operation"],
  ["operations_latency_seconds_total", "summary", "operation", "quantile"],
  ["image_pulls_layer_size", "histogram", "le"],
  ["image_pulls_bytes_total", "counter", "mediatype", "size"],
  ["image_pulls_skipped_bytes_total", "counter", "size"],
  ["image_pulls_success_total", "counter"],
  ["image_pulls_failure_total", "counter", "error"],
  ["image_layer_reuse_total", "counter", "name"],
  ["containers_oom_total", "counter"],
  ["containers_oom_count_total", "counter", "name"],
  ["containers_seccomp_notifier_count_total", "counter", "name", "syscall"],
  ["containers_events_dropped_total", "counter"],
  ["containers_stopped_monitor_count", "counter", "name"],
  ["resources_stalled_at_stage", "counter", "stage"],
  ["processes_defunct", "gauge"],
  ["default_runtime", "gauge", "runtime"],
];

describe("the metrics of a daemon", () => {
  let scene: Scene;
  let atFirst: Awaited<ReturnType<typeof takeInventory>>;
  before(async () => {
    atFirst = await takeInventory();
    scene = await openScene({ config });
    await assert.rejects(scene.cri.image.pullImage({ image: { image: "localhost:1/none:1" } }));
    await assert.rejects(scene.cri.runtime.podSandboxStatus({ podSandboxId: "none" }));
    const pod = hostNetworkPod("measured");
    await withPod(scene.cri, { config: pod }, async (podSandboxId) => {
      const wanted = { podSandboxId, sandboxConfig: pod, config: goodContainer("measured") };
      await withContainer(scene.cri, wanted, async () => {});
    });
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
    await expectNoLeaks(atFirst, { ignore: ["images"] });
  });

  it("are CRI-O's, with their types and labels, and nothing is wrong with how they are written", async () => {
    const { families, problems } = lint(await get({ port: 9537 }));
    assert.deepEqual(problems, []);
    for (const [name, type, ...labels] of expected) {
      const family = families.get(`container_runtime_crio_${name}`);
      assert.equal(family?.type, type, name);
      const found = new Set(family?.samples.flatMap((sample) => Object.keys(sample.labels)));
      for (const label of found) assert.ok(labels.includes(label), `${name}: label ${label}`);
    }
    const value = (name: string, labels: Readonly<Record<string, string>> = {}) => valueIn(families, name, labels);
    assert.equal(value("operations_total", { operation: "RunPodSandbox" }), 1);
    assert.equal(value("operations_errors_total", { operation: "PodSandboxStatus" }), 1);
    assert.ok((value("operations_latency_seconds", { operation: "RunPodSandbox" }) ?? 0) > 0);
    assert.equal(value("image_pulls_success_total"), 1);
    assert.equal(value("image_pulls_failure_total", { error: "CONNECTION_REFUSED" }), 1);
    assert.equal(value("default_runtime", { runtime: "crun" }), 1);
    assert.ok(families.has("process_resident_memory_bytes"));
    assert.ok(families.has("nodejs_eventloop_lag_p99_seconds"));
    assert.ok(families.has("crio_ts_operations_in_flight"));
  });

  it("are on the socket too, which only its owner's group may use", async () => {
    assert.match(await get({ socketPath }), /container_runtime_crio_operations_total/);
    assert.equal((await stat(socketPath)).mode & 0o777, 0o660);
  });

  it("are at no other path", async () => {
    await assert.rejects(get({ port: 9537, path: "/" }), /404/);
  });
});

describe("the metrics endpoint", () => {
  it("makes itself a certificate where there is none, and takes a new one while it runs", async () => {
    const dir = "/run/metrics-tls";
    const cert = `${dir}/cert.pem`;
    const key = `${dir}/key.pem`;
    const tls = `${config}metrics_cert = "${cert}"\nmetrics_key = "${key}"\nmetrics_collectors = ["crio_operations_total"]\n`;
    await using daemon = await startDaemon({ config: tls });
    assert.equal((await stat(key)).mode & 0o777, 0o600);
    assert.equal((await stat(dir)).mode & 0o777, 0o700);
    const first = await fingerprint();
    const fresh = testCertificate(["renewed"]);
    await writeFile(key, fresh.key);
    await writeFile(cert, fresh.cert);
    await eventually("the new certificate", async () => (await fingerprint()) !== first);
    await writeFile(cert, "broken");
    await eventually("what is said of a broken one", async () => /Keeping previous/.test(await daemon.log()));
    const text = await get({ port: 9537, tls: true });
    assert.match(text, /container_runtime_crio_operations_total/);
    assert.doesNotMatch(text, /container_runtime_crio_image/, "only the collectors that were asked for");
  });

  it("says which address is taken, and the daemon does not start", async () => {
    const other = createServer().listen(9537, "127.0.0.1");
    await once(other, "listening");
    try {
      const started = startDaemon({ config });
      await assert.rejects(started, /the port 127\.0\.0\.1:9537 is taken by another program/);
    } finally {
      other.close();
    }
  });
});

function valueIn(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>>,
): number | undefined {
  const samples = families.get(`container_runtime_crio_${name}`)?.samples ?? [];
  return samples.find((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))?.value;
}

interface Where {
  readonly port?: number;
  readonly socketPath?: string;
  readonly path?: string;
  readonly tls?: boolean;
}

function get({ path = "/metrics", tls = false, ...where }: Where): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = { host: "127.0.0.1", ...where, path, agent: false, rejectUnauthorized: false };
  const asked = tls ? requestHttps(options) : requestHttp(options);
  asked.on("error", reject);
  asked.on("response", async (response) => {
    let text = "";
    for await (const chunk of response) text += chunk;
    if (response.statusCode === 200) resolve(text);
    else reject(new Error(`${response.statusCode}: ${text}`));
  });
  asked.end();
  return promise;
}

function fingerprint(): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = { host: "127.0.0.1", port: 9537, path: "/metrics", agent: false, rejectUnauthorized: false };
  const asked = requestHttps(options, (response) => {
    resolve((response.socket as TLSSocket).getPeerCertificate().fingerprint256); // https gives no other kind
    response.resume();
  });
  asked.on("error", reject);
  asked.end();
  return promise;
}
