import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { filesBelow } from "./files.ts";
import { loadConfig } from "./load.ts";
import { rows, valueAt } from "./table.ts";
import { load, testDirectory } from "./testing.ts";

const inRuntime = (text: string) => `[crio.runtime]\n${text}\n`;

describe("loadConfig: files", () => {
  it("skips a missing default file with a word, and refuses a missing named one", async () => {
    await using empty = await testDirectory();
    const env = { CONTAINERS_STORAGE_CONF: join(empty.path, "none"), CONTAINER_CONFIG_DIR: "" };
    const missing = join(empty.path, "crio.conf");
    for (const given of [
      { flags: new Map([["config", [missing]]]), env },
      { flags: new Map(), env: { ...env, CONTAINER_CONFIG: missing } },
    ]) {
      await assert.rejects(loadConfig(given), {
        code: "not-found",
        message: /update config from file: .*crio\.conf does not exist/,
      });
    }
  });

  it("reads no main file when the path is empty", async () => {
    const { files, config } = await load({ env: { CONTAINER_CONFIG: "" } });
    assert.deepEqual(files, []);
    assert.equal(config.runtime.logLevel, "info");
  });

  it("reads drop-ins in lexical order, through directories, whatever they are called", async () => {
    const { files, config } = await load({
      files: {
        "crio.conf.d/20-b.txt": inRuntime('log_level = "debug"'),
        "crio.conf.d/10-a.conf": inRuntime('log_level = "trace"\nlog_filter = "x"'),
        "crio.conf.d/15-sub/z": inRuntime('log_level = "error"\nlog_filter = "sub"'),
        "crio.conf.d/15-sub.conf": inRuntime('log_filter = "dot comes before slash"'),
      },
    });
    assert.deepEqual(
      files.map((file) => file.replace(/^.*crio\.conf\.d\//, "").replace(/^.*\//, "")),
      ["crio.conf", "10-a.conf", "z", "15-sub.conf", "20-b.txt"],
    );
    assert.equal(config.runtime.logLevel, "debug");
    assert.equal(config.runtime.logFilter, "dot comes before slash");
  });

  it("follows a link that is the directory itself, and reads linked files", async () => {
    await using directory = await testDirectory({ "real/a": "", elsewhere: "" });
    await symlink(join(directory.path, "real"), join(directory.path, "link"));
    await symlink(join(directory.path, "elsewhere"), join(directory.path, "real/b"));
    const files = await filesBelow(join(directory.path, "link"));
    assert.deepEqual(files, [join(directory.path, "link/a"), join(directory.path, "link/b")]);
  });

  it("names the file for wrong types, broken text and what is no text", async () => {
    await assert.rejects(load({ files: { "crio.conf": inRuntime("log_level = 3") } }), {
      message:
        /^update config from file: unable to decode configuration \/.*crio\.conf: line 2: crio\.runtime\.log_level: expected a string, found an integer$/,
    });
    await assert.rejects(load({ files: { "crio.conf.d/x": "[crio" } }), {
      message: /^update config from path: unable to decode configuration \/.*crio\.conf\.d\/x: line 1, column/,
    });
    await assert.rejects(load({ env: { CONTAINER_CONFIG: process.execPath } }), { message: /larger than|not UTF-8/ });
    await assert.rejects(load({ env: { CONTAINER_CONFIG: "/" } }), { message: /cannot read \/: EISDIR/ });
  });

  it("takes /dev/null for an empty file", async () => {
    assert.equal((await load({ env: { CONTAINER_CONFIG: "/dev/null" } })).files[0], "/dev/null");
  });
});

describe("loadConfig: merging", () => {
  it("lets later scalars and arrays replace earlier ones", async () => {
    const { config } = await load({
      files: {
        "crio.conf": inRuntime('default_env = ["A=1", "B=2"]\nread_only = true\nno_pivot = true'),
        "crio.conf.d/1": inRuntime('default_env = ["C=3"]\nread_only = false'),
      },
    });
    assert.deepEqual(config.runtime.defaultEnv, ["C=3"]);
    assert.equal(config.runtime.readOnly, false);
    assert.equal(config.runtime.noPivot, true);
  });

  it("lets an empty array empty the list", async () => {
    const { config } = await load({ files: { "crio.conf": inRuntime("default_capabilities = []") } });
    assert.deepEqual(config.runtime.defaultCapabilities, []);
  });

  it("joins storage_option, the last of equal entries staying", async () => {
    const { config } = await load({
      files: {
        "storage.conf": '[storage]\ndriver="overlay"\n[storage.options.overlay]\nmountopt="nodev"',
        "crio.conf": '[crio]\nstorage_option = ["overlay.size=1G", "a.b=1"]',
        "crio.conf.d/1": '[crio]\nstorage_option = ["overlay.mountopt=nodev", "c.d=2"]',
      },
    });
    assert.deepEqual(config.crio.storageOption, ["overlay.size=1G", "a.b=1", "overlay.mountopt=nodev", "c.d=2"]);
  });

  it("replaces storage_option by flag and by variable", async () => {
    const files = { "crio.conf": '[crio]\nstorage_option = ["a.b=1"]' };
    assert.deepEqual((await load({ files, flags: { "storage-opt": "x.y=1" } })).config.crio.storageOption, ["x.y=1"]);
    const fromEnv = await load({ files, env: { CONTAINER_STORAGE_OPT: "p.q=1,r.s=2" } });
    assert.deepEqual(fromEnv.config.crio.storageOption, ["p.q=1", "r.s=2"]);
  });

  it("takes an empty root, runroot or storage_driver for not given", async () => {
    const { config } = await load({
      files: {
        "storage.conf": '[storage]\ndriver="overlay"\ngraphroot="/graph"\nrunroot="/run/graph"\nimagestore="/images"',
        "crio.conf": '[crio]\nroot=""\nrunroot=""\nstorage_driver=""\nimagestore=""',
      },
    });
    assert.equal(config.crio.root, "/graph");
    assert.equal(config.crio.runroot, "/run/graph");
    assert.equal(config.crio.storageDriver, "overlay");
    assert.equal(config.crio.imagestore, "");
  });

  it("replaces a handler that is defined again as a whole, the built-in one too, and keeps the others", async () => {
    const { config } = await load({
      files: {
        "crio.conf":
          '[crio.runtime.runtimes.runc]\nruntime_path="/r"\nmonitor_env=["A=1"]\n[crio.runtime.runtimes.x]\nruntime_path="/x"',
        "crio.conf.d/1":
          '[crio.runtime.runtimes.runc]\nruntime_root="/root"\n[crio.runtime.runtimes.crun]\nruntime_path="/c"',
      },
    });
    assert.deepEqual([...config.runtimes.keys()], ["crun", "runc", "x"]);
    const runc = config.runtimes.get("runc");
    assert.deepEqual([runc?.runtimePath, runc?.runtimeRoot, runc?.monitorEnv], ["", "/root", []]);
    const crun = config.runtimes.get("crun");
    assert.deepEqual([crun?.runtimePath, crun?.runtimeRoot, crun?.allowedAnnotations], ["/c", "", []]);
    assert.equal(config.runtimes.get("x")?.runtimePath, "/x");
  });

  it("keeps the built-in handler when none is defined", async () => {
    const crun = (await load()).config.runtimes.get("crun");
    assert.deepEqual(crun?.allowedAnnotations, ["io.containers.trace-syscall", "devices.crio.io"]);
    assert.equal(crun?.runtimeRoot, "/run/crun");
  });

  it("merges workloads like handlers", async () => {
    const { config } = await load({
      files: {
        "crio.conf":
          '[crio.runtime.workloads.a]\nactivation_annotation="x"\n[crio.runtime.workloads.a.resources]\ncpushares=1',
        "crio.conf.d/1":
          '[crio.runtime.workloads.a]\nannotation_prefix="p"\n[crio.runtime.workloads.b]\nactivation_annotation="y"',
      },
    });
    assert.deepEqual([...config.workloads.keys()], ["a", "b"]);
    assert.equal(config.workloads.get("a")?.activationAnnotation, "");
    assert.equal(config.workloads.get("a")?.resources, undefined);
  });
});

describe("loadConfig: precedence", () => {
  const files = { "crio.conf": inRuntime('log_level = "warn"'), "crio.conf.d/1": inRuntime('log_level = "error"') };

  it("counts drop-in over main file, variable over drop-in, flag over variable", async () => {
    assert.equal((await load()).config.runtime.logLevel, "info");
    assert.equal((await load({ files })).config.runtime.logLevel, "error");
    const env = { CONTAINER_LOG_LEVEL: "debug" };
    assert.equal((await load({ files, env })).config.runtime.logLevel, "debug");
    assert.equal((await load({ files, env, flags: { "log-level": "trace" } })).config.runtime.logLevel, "trace");
  });

  it("lets a flag that equals the default win over a file", async () => {
    assert.equal((await load({ files, flags: { "log-level": "info" } })).config.runtime.logLevel, "info");
  });

  it("tells where each value comes from", async () => {
    const { sources } = await load({ files, env: { CONTAINER_ROOT: "/r" }, flags: { listen: "/l" } });
    const source = sources.get("crio.runtime.log_level");
    assert.ok(source?.is === "file" && source.file.endsWith("crio.conf.d/1") && source.line === 2);
    assert.deepEqual(sources.get("crio.root"), { is: "env", name: "CONTAINER_ROOT" });
    assert.deepEqual(sources.get("crio.api.listen"), { is: "flag", flag: "listen" });
    assert.deepEqual(sources.get("crio.runtime.no_pivot"), { is: "default" });
  });

  it("gives every flag and every variable to its own option and to no other", async () => {
    const texts = {
      text: "/some/text",
      bool: "true",
      int: "4711",
      int64: "9000",
      uint64: "1",
      duration: "11s",
      list: "a:b:c,d:e:f",
      map: "",
    };
    const skipped = ["--config", "--config-dir"]; // they would lead elsewhere
    const untouched = (await load()).config;
    for (const row of rows.filter(({ option, path }) => option.flag !== undefined && !skipped.includes(path))) {
      const { flag = "", env = [], kind } = row.option;
      const text = kind === "bool" && row.option.default === true ? "false" : texts[kind];
      for (const given of [{ flags: { [flag]: text } }, ...env.map((name) => ({ env: { [name]: text } }))]) {
        const { config } = await load(given);
        const changed = rows.filter((other) => {
          const [before, after] = [valueAt(untouched, other), valueAt(config, other)];
          return JSON.stringify(before, big) !== JSON.stringify(after, big) && !skipped.includes(other.path);
        });
        const also =
          row.path === "crio.runtime.enable_criu_support" ? ["crio.checkpoint_restore.container_level_enabled"] : [];
        assert.deepEqual(
          changed.map(({ path }) => path),
          [row.path, ...also],
          `${JSON.stringify(given)}`,
        );
      }
    }
  });
});

describe("loadConfig: notes", () => {
  it("says what replaces a deprecated key, and where it stands", async () => {
    const { notes } = await load({ files: { "crio.conf": inRuntime("pids_limit = 5\nconmon = ''") } });
    const deprecated = notes.filter(({ message }) => message.includes("deprecated"));
    assert.equal(deprecated.length, 1); // an empty conmon changes nothing
    assert.match(String(deprecated[0]?.fields.instead), /podPidsLimit/);
    assert.match(String(deprecated[0]?.fields.where), /crio\.conf, line 2$/);
  });

  it("says of every key that is set and has no effect yet what is missing, once, and of no other", async () => {
    const text = `[crio.runtime]
shared_cpuset = "0-1"
separate_pull_cgroup = "" # the default
log_to_journald = true
[crio.runtime.runtimes.other]
exec_cpu_affinity = "first"
[crio.runtime.workloads.managed]
activation_annotation = "managed"
[crio.image]
big_files_temporary_dir = "/var/big"
`;
    const { notes } = await load({ files: { "crio.conf": text }, flags: { "rdt-config-file": "/etc/rdt" } });
    const missing = notes.filter(({ message }) => message === "configuration key has no effect yet");
    assert.deepEqual(missing.map(({ fields }) => fields.key).toSorted(), [
      "crio.image.big_files_temporary_dir",
      "crio.runtime.rdt_config_file",
      "crio.runtime.runtimes.other.exec_cpu_affinity",
      "crio.runtime.shared_cpuset",
    ]);
    const shared = missing.find(({ fields }) => fields.key === "crio.runtime.shared_cpuset");
    assert.equal(shared?.level, "warn");
    assert.equal(shared?.fields.missing, "no container shares CPUs");
    assert.match(String(shared?.fields.where), /crio\.conf, line 2$/);
    assert.deepEqual(
      (await load()).notes.filter(({ message }) => message.includes("no effect yet")),
      [],
    );
  });

  it("warns of the misspelt variable, which still counts first", async () => {
    const { config, notes } = await load({
      env: { CONTAINER_INCLUDED_POD_METRCIS: "cpu", CONTAINER_INCLUDED_POD_METRICS: "all" },
    });
    assert.deepEqual(config.stats.includedPodMetrics, ["cpu"]);
    assert.ok(notes.some(({ fields }) => fields.variable === "CONTAINER_INCLUDED_POD_METRCIS"));
  });
});

function big(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
