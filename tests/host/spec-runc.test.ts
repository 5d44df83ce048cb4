/**
 * Specs as `spec/` and `security/` write them, run by real OCI runtimes with busybox as the root file system: what a process inside
 * sees and may do. Needs root, runc or crun, and a static busybox. Cgroups and mounts go with the containers; the rest is in a
 * temporary directory.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { newId } from "../../src/base/index.ts";
import {
  isAppArmorEnabled,
  isAppArmorProfileLoaded,
  loadAppArmorProfile,
  maskedPaths,
} from "../../src/security/index.ts";
import { nodeBinary } from "../support/paths.ts";
import { type Finished, mustRun, run } from "../support/programs.ts";
import { bind, busybox, SpecBundle } from "./spec-bundle.ts";

const hasAppArmor = await isAppArmorEnabled();

for (const runtime of ["runc", "crun"]) {
  describe(`specs run by ${runtime}`, { skip: (await reasonToSkip(runtime)) ?? false }, () => suite(runtime));
}

function suite(runtime: string): void {
  it("give the process its user, groups, directory and variables", async () => {
    await using bundle = await SpecBundle.make(runtime);
    const { stdout } = await bundle.sh("id; pwd; echo $HOSTNAME $LANG; hostname; umask", {
      user: { uid: 1000, gid: 1001, additionalGids: [1001, 5], umask: 0o27 },
      command: { workingDir: "/tmp", env: [{ key: "LANG", value: "C" }] },
    });
    assert.match(stdout, /^uid=1000 gid=1001 groups=.*\b5\b/);
    assert.deepEqual(stdout.trim().split("\n").slice(1), ["/tmp", "pod-1 C", "pod-1", "0027"]);
  });

  it("confine it: default capabilities, seccomp, no new privileges, nothing inherited or ambient", async () => {
    await using bundle = await SpecBundle.make(runtime);
    const { stdout } = await bundle.sh("cat /proc/self/status; ls /proc/self/fd", { noNewPrivileges: true });
    const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(stdout)?.[1];
    const bits = [0, 1, 3, 4, 5, 6, 7, 8, 10].reduce((all, bit) => all | (1 << bit), 0);
    const given = bits.toString(16).padStart(16, "0");
    assert.deepEqual(["CapBnd", "CapEff", "CapPrm"].map(field), [given, given, given]);
    assert.deepEqual(["CapInh", "CapAmb"].map(field), ["0".repeat(16), "0".repeat(16)]);
    assert.deepEqual(["Seccomp", "NoNewPrivs"].map(field), ["2", "1"]);
  });

  it("let it make no namespaces, mounts or hostnames", async () => {
    await using bundle = await SpecBundle.make(runtime);
    for (const command of [
      "unshare -U true",
      "unshare -m true",
      "unshare -n true",
      "mount -t tmpfs none /mnt",
      "chroot / true",
      "hostname other",
    ]) {
      const { code, stderr } = await bundle.sh(command, {});
      assert.notEqual(code, 0, command);
      assert.match(stderr, /Operation not permitted|are you root/, command);
    }
  });

  it("let programs run that use threads, new system calls and glibc", async () => {
    await using bundle = await SpecBundle.make(runtime);
    const script = `
      const { Worker } = require("node:worker_threads"); const { execFileSync } = require("node:child_process");
      const one = () => new Promise((done, fail) =>
        new Worker("require('node:worker_threads').parentPort.postMessage(1)", { eval: true }).on("message", done).on("error", fail));
      Promise.all([one(), one()]).then(() => console.log("threads", execFileSync("/bin/busybox", ["echo", "children"]).toString()));`;
    const libraries = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"].filter((path) => existsSync(path));
    const { stdout, stderr } = await bundle.run(["/node", "-e", script], {
      mounts: [
        ...libraries.map((path) => bind(path, { hostPath: path, readonly: true })),
        bind("/node", { hostPath: nodeBinary, readonly: true }),
      ],
    });
    assert.equal(stdout.trim(), "threads children", stderr);
  });

  it("hide and protect what is masked and read-only", async () => {
    await using bundle = await SpecBundle.make(runtime);
    const masked = maskedPaths({ masked: ["/proc/kcore"], privileged: false, thermalThrottle: [] });
    const confinement = { maskedPaths: masked, readonlyPaths: ["/proc/sys", "/proc/irq"] };
    const script = "cat /proc/keys /proc/interrupts | wc -c; echo x > /proc/sys/kernel/domainname; touch /sys/x";
    const { stdout, stderr } = await bundle.sh(script, { confinement });
    assert.equal(stdout.trim(), "0");
    assert.match(stderr, /domainname: Read-only file system/);
    assert.match(stderr, /\/sys\/x: Read-only file system/);
  });

  it("mount the pod's files and the request's paths, read-only where asked for", async () => {
    await using bundle = await SpecBundle.make(runtime);
    await mkdir(join(bundle.root, "data/deep"), { recursive: true });
    const hostPath = join(bundle.root, "data");
    const { stdout, stderr } = await bundle.sh(
      "cat /etc/resolv.conf /etc/hostname; ls /run/.containerenv; touch /rw/a /rw/deep/b; touch /ro/c; ls /rw; echo x > /dev/shm/x",
      { mounts: [bind("/ro", { hostPath, readonly: true }), bind("/rw", { hostPath })] },
    );
    assert.deepEqual(stdout.trim().split("\n"), ["nameserver 192.0.2.1", "pod-1", "/run/.containerenv", "a", "deep"]);
    assert.match(stderr, /\/ro\/c: Read-only file system/);
    assert.ok(existsSync(join(bundle.root, "data/deep/b")) && existsSync(join(bundle.root, "shm/x")));
  });

  it("mount an image's directory whatever its name", async () => {
    await using bundle = await SpecBundle.make(runtime);
    const path = join(bundle.root, "image/a:b,upperdir=c\\d");
    await mkdir(path, { recursive: true });
    await writeFile(join(path, "file"), "from the image");
    const request = { ...bind("/image", { hostPath: "" }).request, image: "image" };
    const source = { is: "image", imageId: "1", path, isMapped: false } as const;
    const { stdout, stderr } = await bundle.sh("cat /image/file; touch /image/x", { mounts: [{ request, source }] });
    assert.equal(stdout, "from the image", stderr);
    assert.match(stderr, /\/image\/x: Read-only file system/);
  });

  it("make a root file system read-only, with tmpfs by configuration", async () => {
    await using bundle = await SpecBundle.make(runtime);
    const { stderr } = await bundle.sh("touch /x; touch /tmp/x /run/x /var/tmp/x", {
      readonlyRootfs: true,
      tmpfs: true,
    });
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.match(stderr, /\/x: Read-only file system/);
  });

  it("limit memory and processes", async () => {
    await using bundle = await SpecBundle.make(runtime);
    const files =
      bundle.host.cgroupVersion === 2
        ? ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max"]
        : ["/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/pids/pids.max"];
    const { stdout, stderr } = await bundle.sh(`cat ${files.join(" ")}`, { memory: 64n << 20n, pidsLimit: 77n });
    assert.equal(stdout, "67108864\n77\n", stderr);
  });

  it("open the devices of the request and no others", async () => {
    await using bundle = await SpecBundle.make(runtime);
    const node = { path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 } as const;
    const requested = [
      {
        containerPath: "/dev/own",
        hostPath: "/dev/null",
        permissions: "rw",
        found: { is: "node", node } as const,
        containerPathOnHost: false,
      },
    ];
    const devices = { configured: [], hostDevices: [], privilegedWithoutHostDevices: false, requested };
    const script = "cat /dev/own; echo x > /dev/own; echo ok; ls /dev/kmsg /dev/mem";
    const { stdout, stderr } = await bundle.sh(script, { devices });
    assert.equal(stdout, "ok\n", stderr);
    assert.match(stderr, /\/dev\/kmsg: No such file/);
  });

  it("let a privileged container do what the host can", async () => {
    await using bundle = await SpecBundle.make(runtime);
    const script =
      "mount -t tmpfs none /mnt && unshare -n true && touch /sys/fs/cgroup 2>&1; grep -E 'CapEff|Seccomp:' /proc/self/status";
    const { stdout, stderr } = await bundle.sh(script, { privileged: true });
    const own = await readFile("/proc/self/status", "utf8");
    const bounding = /^CapBnd:\s*(\S+)/m.exec(own)?.[1];
    assert.match(stdout, new RegExp(`CapEff:\\s*${bounding}`), stderr);
    assert.match(stdout, /Seccomp:\s*0/);
  });

  it("run in a user namespace", async () => {
    await using bundle = await SpecBundle.make(runtime);
    await bundle.giveTo(100_000);
    const mapping = [{ containerId: 0, hostId: 100_000, size: 65_536 }];
    const { stdout, stderr } = await bundle.sh("id -u; cat /proc/self/uid_map; touch /x && ls -n /x", {
      namespaces: { user: { uidMappings: mapping, gidMappings: mapping } },
      user: { uid: 0, gid: 0, additionalGids: [0] },
    });
    assert.match(stdout, /^0\n\s+0\s+100000\s+65536\n/, stderr);
    assert.match(stdout, /\/x\n$/);
  });

  it("are confined by crio's own AppArmor profile", { skip: hasAppArmor ? false : "no AppArmor here" }, async () => {
    const name = `crio-ts-test-${newId().slice(0, 12)}`;
    await loadAppArmorProfile(name);
    try {
      assert.ok(await isAppArmorProfileLoaded(name));
      await using bundle = await SpecBundle.make(runtime);
      const confinement = { apparmorProfile: name };
      const script = "cat /proc/self/attr/current; echo x > /proc/sys/kernel/domainname; touch /tmp/x && echo ok";
      const { stdout, stderr } = await bundle.sh(script, { confinement });
      assert.equal(stdout, `${name} (enforce)\nok\n`);
      assert.match(stderr, /domainname: Permission denied/);
      const unconfined = await bundle.sh(script, { confinement: { apparmorProfile: "unconfined" } });
      assert.match(unconfined.stdout, /^unconfined\nok/);
      assert.equal(unconfined.stderr, "");
      // The runtime has a profile of its own on Debian; it must be able to stop the container all the same.
      const ask = await bundle.start(["/bin/busybox", "sleep", "600"], { confinement });
      assert.equal((await ask("kill", "KILL")).code, 0);
      await untilStopped(() => ask("state"));
      assert.equal((await ask("delete")).code, 0);
    } finally {
      await mustRun(["apparmor_parser", "-R"], { input: `profile ${name} {}\n` });
    }
  });

  it("run an infra container with sysctls of its namespaces", async () => {
    await using bundle = await SpecBundle.make(runtime);
    const { stdout, stderr } = await bundle.runInfra(
      ["/bin/busybox", "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/kernel/shm_rmid_forced"],
      [
        ["net.ipv4.ip_unprivileged_port_start", "77"],
        ["kernel.shm_rmid_forced", "1"],
      ],
    );
    assert.equal(stdout, "77\n1\n", stderr);
  });
}

async function untilStopped(state: () => Promise<Finished>): Promise<void> {
  for (const end = Date.now() + 20_000; ; await setTimeout(50)) {
    const { stdout } = await state();
    if (stdout.includes('"stopped"')) return;
    assert.ok(Date.now() < end, `still not stopped: ${stdout}`);
  }
}

async function reasonToSkip(runtime: string): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "needs root";
  if (busybox === undefined) return "no static busybox (package busybox-static)";
  const version = await run([runtime, "--version"]).catch(() => undefined);
  if (version?.code !== 0) return `${runtime} is not installed`;
  const isHybrid = existsSync("/sys/fs/cgroup/unified/cgroup.controllers");
  const usable =
    !isHybrid ||
    runtime !== "crun" ||
    (await readFile("/sys/fs/cgroup/unified/cgroup.controllers", "utf8")).trim() === "";
  return usable
    ? undefined
    : "crun refuses hybrid cgroups whose v2 side has controllers; run this in a throw-away node";
}
