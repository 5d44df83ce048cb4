import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { completeConfig } from "./complete.ts";
import { load } from "./testing.ts";

const configured = async (text: string) => (await load({ files: { "crio.conf": text } })).config;

describe("completeConfig", () => {
  it("changes nothing on a second run", async () => {
    const config = await configured(
      '[crio.network]\nplugin_dir="/p"\n[crio.runtime.runtimes.x]\ninherit_default_runtime=true',
    );
    assert.deepEqual(completeConfig(config).config, config);
  });

  it("raises ctr_stop_timeout and says so", async () => {
    const { config, notes } = await load({ files: { "crio.conf": "[crio.runtime]\nctr_stop_timeout = 3" } });
    assert.equal(config.runtime.ctrStopTimeout, 30);
    assert.ok(notes.some(({ message }) => message.startsWith("ctr_stop_timeout")));
  });

  it("gives message sizes of zero or less their default", async () => {
    const { api } = await configured("[crio.api]\ngrpc_max_send_msg_size = 0\ngrpc_max_recv_msg_size = -1");
    assert.deepEqual([api.grpcMaxSendMsgSize, api.grpcMaxRecvMsgSize], [83886080, 83886080]);
  });

  it("folds plugin_dir into plugin_dirs", async () => {
    const { network } = await configured('[crio.network]\nplugin_dirs=["/a"]\nplugin_dir="/b"');
    assert.deepEqual([network.pluginDirs, network.pluginDir], [["/a", "/b"], ""]);
  });

  it("takes crun for an empty default_runtime", async () => {
    assert.equal((await configured('[crio.runtime]\ndefault_runtime=""')).runtime.defaultRuntime, "crun");
  });

  it("turns checkpoints off with enable_criu_support", async () => {
    const { checkpointRestore } = await configured("[crio.runtime]\nenable_criu_support=false");
    assert.equal(checkpointRestore.containerLevelEnabled, "none");
  });

  it("lets the conmon keys replace the monitor keys of OCI handlers only", async () => {
    const { runtimes } = await configured(`[crio.runtime]
conmon = "/c"
conmon_cgroup = "pod"
conmon_env = ["A=1"]
[crio.runtime.runtimes.runc]
monitor_path = "/mine"
[crio.runtime.runtimes.kata]
runtime_type = "vm"
monitor_path = "/kept"`);
    const monitor = (name: string) => {
      const handler = runtimes.get(name);
      return [handler?.monitorPath, handler?.monitorCgroup, handler?.monitorEnv];
    };
    assert.deepEqual(monitor("runc"), ["/c", "pod", ["A=1"]]);
    assert.deepEqual(monitor("crun"), ["/c", "pod", ["A=1"]]);
    assert.deepEqual(monitor("kata"), ["/kept", "", []]);
  });

  it("puts conmon into system.slice under systemd and nowhere under cgroupfs", async () => {
    const handlers = "\n[crio.runtime.runtimes.crun]\n[crio.runtime.runtimes.runc]\nmonitor_cgroup='system.slice'";
    const systemd = (await configured(handlers)).runtimes;
    assert.equal(systemd.get("crun")?.monitorCgroup, "system.slice");
    const cgroupfs = (await configured(`[crio.runtime]\ncgroup_manager='cgroupfs'${handlers}`)).runtimes;
    assert.equal(cgroupfs.get("crun")?.monitorCgroup, "");
    assert.equal(cgroupfs.get("runc")?.monitorCgroup, "");
  });

  it("copies what a handler inherits from the default one", async () => {
    const { runtimes } = await configured(`[crio.runtime.runtimes.x]
runtime_path = "/own"
runtime_root = "/own"
inherit_default_runtime = true
allowed_annotations = ["devices.crio.io"]`);
    const x = runtimes.get("x");
    assert.deepEqual([x?.runtimePath, x?.runtimeRoot, x?.runtimeType], ["crun", "/run/crun", "oci"]);
    assert.deepEqual(x?.allowedAnnotations, ["devices.crio.io"]);
  });

  it("fills in create timeouts and least memory", async () => {
    const { runtimes } = await configured(`[crio.runtime.runtimes.a]
[crio.runtime.runtimes.b]
container_create_timeout = 5
container_min_memory = "much"
[crio.runtime.runtimes.c]
container_create_timeout = 31
container_min_memory = "1MiB"`);
    const of = (name: string) => [runtimes.get(name)?.containerCreateTimeout, runtimes.get(name)?.containerMinMemory];
    assert.deepEqual(
      [of("a"), of("b"), of("c"), of("crun")],
      [
        [240, "12MiB"],
        [30, "12MiB"],
        [31, "1MiB"],
        [240, "500KiB"],
      ],
    );
  });
});
