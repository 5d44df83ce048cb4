/** Configurations that cannot work: refused with the place and the remedy, with status 1, and nothing on disk is changed. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { startDaemon } from "../support/daemon/index.ts";
import { projectRoot } from "../support/paths.ts";
import { type Finished, mustRun, run } from "../support/programs.ts";

interface Bad {
  readonly what: string;
  readonly config: string | Buffer;
  readonly says: RegExp;
  /** Not to be seen without starting. */
  readonly onlyAtStart?: boolean;
}

/** Where anything that crio makes would be. */
const trees = ["/etc", "/var/lib", "/var/log", "/run", "/opt", "/root", "/usr/share/containers"];
const takenPort = 45_671;

describe("a configuration that cannot work", () => {
  let dir = "";
  let taken: Server;
  before(async () => {
    dir = await mkdtemp("/tmp/bad-config-");
    for (const name of ["one", "two"]) {
      const [key, certificate] = [join(dir, `${name}.key`), join(dir, `${name}.crt`)];
      const subject = ["-subj", `/CN=${name}`, "-days", "2"];
      await mustRun([
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        ...subject,
        "-keyout",
        key,
        "-out",
        certificate,
      ]);
    }
    await writeFile(join(dir, "broken.json"), "{");
    await mkdir(join(dir, "directory"));
    taken = createServer().listen(takenPort, "127.0.0.1");
  });
  after(() => taken.close());

  const cases = (): readonly Bad[] => [
    { what: "broken TOML", config: "[crio.runtime]\nlog_level = \n", says: /crio\.conf.*(?:line )?2/ },
    { what: "not TOML at all", config: Buffer.from([0xff, 0xfe, 0, 1]), says: /crio\.conf is not UTF-8 text/ },
    {
      what: "values of the wrong type, all of them",
      config: '[crio]\ninternal_wipe = "yes"\n[crio.runtime]\npids_limit = "many"\n',
      says: /line 2: crio\.internal_wipe: expected .*line 4: crio\.runtime\.pids_limit: expected an integer/,
    },
    {
      what: "a table in place of a value",
      config: "[crio.runtime.log_level]\nx = 1\n",
      says: /line 1: crio\.runtime\.log_level: expected a string, found a table/,
    },
    {
      what: "a relative path",
      config: '[crio]\nroot = "storage"\n',
      says: /crio\.conf, line 2: crio\.root: "storage" is not an absolute path: begin it with a slash/,
    },
    {
      what: "a relative log directory",
      config: '[crio]\nlog_dir = "logs"\n',
      says: /line 2: crio\.log_dir: log_dir is not an absolute path/,
    },
    {
      what: "an unknown cgroup manager",
      config: '[crio.runtime]\ncgroup_manager = "openrc"\n',
      says: /line 2: crio\.runtime\.cgroup_manager: .*cgroupfs/,
    },
    {
      what: "a default runtime that is not there",
      config: '[crio.runtime]\ndefault_runtime = "youki"\n',
      says: /line 2: crio\.runtime\.default_runtime: .*"youki" is not in .*crun/,
    },
    {
      what: "a runtime program that is not there",
      config: '[crio.runtime.runtimes.crun]\nruntime_path = "/no/such/crun"\n',
      says: /line 1: crio\.runtime\.runtimes\.crun: .*\/no\/such\/crun/,
    },
    {
      what: "a storage driver that is none",
      config: '[crio]\nstorage_driver = "aufs"\n',
      says: /line 2: crio\.storage_driver: .*"aufs" is not supported; set it to overlay/,
    },
    {
      what: "a storage option that is none",
      config: '[crio]\nstorage_option = ["overlay.fast=true"]\n',
      says: /unknown option fast/,
    },
    {
      what: "a listening address that is a name",
      config: '[crio.api]\nstream_address = "localhost"\n',
      says: /line 2: crio\.api\.stream_address: "localhost" is not an IP address/,
    },
    {
      what: "a port that is none",
      config: '[crio.api]\nstream_port = "no-such-service"\n',
      says: /line 2: crio\.api\.stream_port: .*no port/,
      onlyAtStart: true,
    },
    {
      what: "a taken port",
      config: `[crio.api]\nstream_port = "${takenPort}"\n`,
      says: /line 2: crio\.api\.stream_port: the port 127\.0\.0\.1:45671 is taken/,
      onlyAtStart: true,
    },
    {
      what: "a taken port for metrics",
      config: `[crio.metrics]\nenable_metrics = true\nmetrics_port = ${takenPort}\n`,
      says: /line 3: crio\.metrics\.metrics_port: the port \S+ is taken/,
      onlyAtStart: true,
    },
    {
      what: "TLS without a key",
      config: `[crio.api]\nstream_enable_tls = true\nstream_tls_cert = "${dir}/one.crt"\n`,
      says: /line 2: crio\.api\.stream_enable_tls: needs a key file: set stream_tls_key/,
    },
    {
      what: "a certificate of another key",
      config: `[crio.api]\nstream_enable_tls = true\nstream_tls_cert = "${dir}/one.crt"\nstream_tls_key = "${dir}/two.key"\n`,
      says: /line 3: crio\.api\.stream_tls_cert: .*one\.crt.*two\.key.*mismatch/,
    },
    {
      what: "a certificate that is not there",
      config: `[crio.api]\nstream_enable_tls = true\nstream_tls_cert = "${dir}/none.crt"\nstream_tls_key = "${dir}/two.key"\n`,
      says: /line 3: crio\.api\.stream_tls_cert: .*none\.crt/,
    },
    {
      what: "a seccomp profile that is none",
      config: `[crio.runtime]\nseccomp_profile = "${dir}/broken.json"\n`,
      says: /line 2: crio\.runtime\.seccomp_profile: .*broken\.json/,
    },
    {
      what: "a log filter that is no expression",
      config: '[crio.runtime]\nlog_filter = "("\n',
      says: /line 2: crio\.runtime\.log_filter: /,
    },
    { what: "a main file that is a directory", config: "", says: /EISDIR|is a directory/ },
  ];

  const start = (file: string, ...args: readonly string[]): Promise<Finished> =>
    run([join(projectRoot, "bin/crio"), "--config", file, "--config-dir", "", ...args], { timeoutMs: 60_000 });

  const fileOf = async ({ what, config }: Bad): Promise<string> => {
    if (what === "a main file that is a directory") return join(dir, "directory");
    const path = join(await mkdtemp(join(dir, "case-")), "crio.conf");
    await writeFile(path, config);
    return path;
  };

  it("is refused at start with its place, status 1, and nothing changed", async () => {
    for (const bad of cases()) {
      const file = await fileOf(bad);
      const before = await everything();
      const { code, stderr } = await start(file, "--log-level", "error");
      assert.equal(code, 1, `${bad.what}: ${stderr}`);
      const last = stderr.trimEnd().split("\n").at(-1) ?? "";
      assert.match(last, /level=fatal/, bad.what);
      assert.match(last.replaceAll('\\"', '"'), bad.says, bad.what);
      assert.deepEqual(await everything(), before, bad.what);
    }
  });

  it("is told by crio config --check, all problems at once, without running anything", async () => {
    for (const bad of cases()) {
      const before = await everything();
      const { code, stdout } = await start(await fileOf(bad), "config", "--check");
      assert.equal(code, bad.onlyAtStart === true ? 0 : 1, `${bad.what}: ${stdout}`);
      if (bad.onlyAtStart !== true) assert.match(stdout.replaceAll("\n", " "), bad.says, bad.what);
      assert.deepEqual(await everything(), before, bad.what);
    }
  });

  it("may be one whose files cannot be used, which --check tells too", async () => {
    const file = join(dir, "named.conf");
    await writeFile(
      file,
      `[crio.image]
global_auth_file = "/no/such/auth.json"
signature_policy = "${dir}/broken.json"
[crio.runtime]
privileged_seccomp_profile = "${dir}/one.crt"
log_size_max = 3
[crio.network]
network_dir = "${dir}/one.crt"
[crio.metrics]
enable_metrics = true
metrics_cert = "${dir}/one.crt"
metrics_key = "${dir}/two.key"
[crio.runtime.runtimes.other]
runtime_path = "/no/other"
[crio.typo]
`,
    );
    const { code, stdout, stderr } = await start(file, "config", "--check");
    assert.equal(code, 1);
    assert.match(stderr, /6 problems in the configuration/);
    for (const says of [
      /^error: .*named\.conf, line 2: crio\.image\.global_auth_file: \/no\/such\/auth\.json does not exist$/m,
      /^error: .*line 3: crio\.image\.signature_policy: .*broken\.json is no JSON/m,
      /^error: .*line 5: crio\.runtime\.privileged_seccomp_profile: /m,
      /^error: .*line 6: crio\.runtime\.log_size_max: /m,
      /^error: .*line 8: crio\.network\.network_dir: .*one\.crt is not a directory$/m,
      /^error: .*line 11: crio\.metrics\.metrics_cert: the key .*two\.key is not that of the certificate/m,
      /^warning: .*line 13: crio\.runtime\.runtimes\.other: .*\/no\/other/m,
      /^warning: .*named\.conf, line 15: crio\.typo: unknown configuration key/m,
    ])
      assert.match(stdout, says);
  });

  it("is not the one of a daemon that serves already: the second start is refused and the first goes on", async () => {
    await using daemon = await startDaemon();
    const before = (await daemon.log()).length;
    const { code, stderr } = await start(join(daemon.dir, "crio.conf"), "--log-level", "error");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /crio\.api\.listen: already existing connection on \S+: another daemon serves this socket; stop it first/,
    );
    assert.doesNotMatch((await daemon.log()).slice(before), /level=(?:warning|error)/);
    const { code: checked, stdout } = await start(join(daemon.dir, "crio.conf"), "config", "--check");
    assert.equal(checked, 0, stdout);
    assert.match(stdout, /^the configuration is valid: \S+crio\.conf$/m);
    const status = await run([join(projectRoot, "bin/crio"), "--config", join(daemon.dir, "crio.conf"), "version"]);
    assert.equal(status.code, 0);
  });
});

/** Every file that crio could have made or changed, with its size and time. */
async function everything(): Promise<readonly string[]> {
  const { stdout } = await run(["find", ...trees, "-xdev", "-printf", "%p %s %y %C@\n"], { timeoutMs: 60_000 });
  // A runtime that is asked what it can do makes its own directory, and it is so asked by name.
  const own = /^\/run (?!$)|^\/run\/crun |^\/(?:run\/(?:registry|node-report|crio-test-)|var\/log\/journal)/;
  return stdout.split("\n").filter((line) => line !== "" && !own.test(line));
}
