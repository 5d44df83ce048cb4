import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { usableHandlers } from "./handlers.ts";
import { load } from "./testing.ts";
import { problemText, validateConfig } from "./validate.ts";

async function problems(text: string) {
  const { config, sources } = await load({ files: { "crio.conf": text } });
  return validateConfig(config, sources);
}

describe("validateConfig", () => {
  it("finds nothing wrong with the defaults", async () => assert.deepEqual(await problems(""), []));

  const bad: readonly (readonly [string, string, RegExp])[] = [
    ["crio.runtime", "log_size_max = 100", /log size max/],
    ["crio.runtime", "default_ulimits = ['nofile=2:1']", /soft limit/],
    ["crio.runtime", "default_ulimits = ['core=1', 'x=1']", /ulimit type/],
    ["crio.runtime", "min_injected_gomaxprocs = -1", /negative/],
    ["crio.runtime", "additional_artifact_stores = ['rel']", /not absolute/],
    ["crio.runtime", "default_capabilities = ['FLY']", /FLY/],
    ["crio.runtime", "default_sysctls = ['a = b']", /sysctl/],
    ["crio.runtime", "additional_devices = ['/dev/null:/etc/null']", /below \/dev/],
    ["crio.runtime", "additional_devices = ['/dev/no-such-device']", /does not exist/],
    ["crio.runtime", "additional_devices = ['/etc/passwd:/dev/x']", /not a device/],
    ["crio.runtime", "infra_ctr_cpuset = 'x'", /CPU list/],
    ["crio.runtime", "default_runtime = 'nope'", /"nope" is not in .* which has crun/],
    ["crio.runtime", "timezone = 'Moon/Sea'", /timezone/],
    ["crio.runtime", "log_level = 'loud'", /log level/],
    ["crio.runtime", "log_filter = '('", /regular expression/],
    ["crio.runtime.workloads.w", "annotation_prefix = 'x'", /annotation shouldn't be empty/],
    [
      "crio.runtime.workloads.w",
      "activation_annotation='a'\nallowed_annotations=['x']",
      /invalid allowed_annotation: x/,
    ],
    ["crio.runtime.workloads.w", "activation_annotation='a'\nresources={cpuset='x'}", /CPU list/],
    ["crio.runtime.workloads.w", "activation_annotation='a'\nresources={cpuperiod=999}", /1000/],
    ["crio.runtime.workloads.w", "activation_annotation='a'\nresources={cpuquota=5,cpushares=6}", /cannot be less/],
    ["crio.checkpoint_restore", "container_level_enabled = 'all'", /must be none/],
    ["crio.api", "stream_enable_tls = true\nstream_tls_cert = '/x'", /set stream_tls_key/],
    ["crio.api", "tls_min_version = 'VersionTLS10'", /no longer accepted/],
    ["crio.api", "tls_cipher_suites = ['FANCY']", /FANCY/],
    ["crio.image", "pause_image = 'Not An Image'", /invalid pause image/],
    ["crio.image", "image_volumes = 'x'", /unrecognized image volume type specified/],
    ["crio.image", "short_name_mode = 'x'", /short name mode/],
    ["crio.image", "namespaced_auth_dir = 'x'", /absolute/],
    ["crio.image", "signature_policy_dir = 'x'", /absolute/],
    ["crio.network", "cni_status_grace_period = '-1s'", /negative/],
    ["crio.stats", "included_pod_metrics = ['all', 'cpu']", /all/],
    ["crio.stats", "included_pod_metrics = ['weather']", /weather/],
  ];
  for (const [table, setting, message] of bad) {
    it(`refuses ${setting.replaceAll("\n", " ")}`, async () => {
      const [problem, ...more] = await problems(`[${table}]\n${setting}`);
      assert.deepEqual(more, []);
      assert.match(problem?.message ?? "", message);
      assert.equal(problem?.stops, "config");
      assert.match(problem === undefined ? "" : problemText(problem), /crio\.conf, line \d: crio\./);
    });
  }

  const startOnly: readonly (readonly [string, string, RegExp])[] = [
    ["crio", "log_dir = 'rel'", /log_dir is not an absolute path/],
    ["crio", "imagestore = '/s'\nroot = '/s'", /another directory/],
    ["crio.api", "stream_port = '70000'", /stream_port/],
    ["crio.api", "stream_idle_timeout = 'x'", /duration/],
    ["crio.runtime", "cgroup_manager = 'openrc'", /systemd or cgroupfs/],
    ["crio.runtime.runtimes.crun", "runtime_type = 'x'", /oci, vm or pod/],
    ["crio.runtime.runtimes.crun", "allowed_annotations = ['x']", /invalid allowed_annotation: x/],
    ["crio.runtime.runtimes.crun", "exec_cpu_affinity = 'last'", /exec_cpu_affinity/],
    ["crio.runtime.runtimes.crun", "monitor_cgroup = 'x'", /systemd slice/],
    ["crio.runtime.runtimes.crun", "runtime_config_path = '/x'", /vm only/],
    ["crio.runtime.runtimes.crun", "runtime_type = 'vm'", /containerd-shim/],
  ];
  for (const [table, setting, message] of startOnly) {
    it(`stops the start only for ${setting.replaceAll("\n", " ")}`, async () => {
      const [problem, ...more] = await problems(`[${table}]\n${setting}`);
      assert.deepEqual(more, []);
      assert.match(problem?.message ?? "", message);
      assert.equal(problem?.stops, "start");
    });
  }

  it("tells all problems, not the first", async () => {
    assert.equal(
      (await problems("[crio.runtime]\nlog_size_max = 1\nlog_level='x'\n[crio.image]\nimage_volumes='x'")).length,
      3,
    );
  });

  it("accepts a real device and a real time zone", async () => {
    assert.deepEqual(await problems("[crio.runtime]\nadditional_devices=['/dev/null:/dev/nil:rw']"), []);
  });
});

describe("usableHandlers", () => {
  it("leaves out bad handlers other than the default one, with the reason", async () => {
    const { config } = await load({
      files: {
        "crio.conf": `[crio.runtime.runtimes.good]
runtime_type = "vm"
runtime_path = "/usr/bin/containerd-shim-kata-v2"
runtime_config_path = "/etc/kata"
runtime_pull_image = true
[crio.runtime.runtimes.bad]
no_sync_log = true
runtime_type = "pod"`,
      },
    });
    const { usable, rejected } = usableHandlers(config);
    assert.deepEqual([...usable.keys()], ["crun", "good"]);
    assert.deepEqual(rejected, [{ name: "bad", why: "no_sync_log is for runtime_type oci only" }]);
    assert.deepEqual(await validateConfig(config), []);
  });
});
