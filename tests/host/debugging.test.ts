/** What an operator can ask of a running daemon besides the socket: signals, profiles, the mount namespace it is started in. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, readlink, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Daemon, startDaemon } from "../support/daemon/index.ts";
import { mustRun, run } from "../support/programs.ts";

describe("a running daemon", () => {
  it("writes what it is doing on SIGUSR1, for its owner alone, and opens no debugger", async () => {
    const tmp = await mkdtemp("/run/debugging-");
    await using daemon = await startDaemon({ env: { TMPDIR: tmp, SECRET_OF_THE_TEST: "hidden-value" } });
    process.kill(daemon.pid, "SIGUSR1");
    await logged(daemon, "wrote what the daemon is doing");
    const [name = ""] = (await readdir(tmp)).filter((each) => each.startsWith("crio-goroutine-stacks-"));
    assert.match(name, /^crio-goroutine-stacks-\d{4}-\d\d-\d\dT\d{6}(?:Z|[+-]\d{4})\.log$/);
    const path = join(tmp, name);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const text = await readFile(path, "utf8");
    assert.equal(JSON.parse(text).header.processId, daemon.pid);
    assert.doesNotMatch(text, /hidden-value/);
    const { stdout } = await run(["ss", "-tlnp"]);
    assert.doesNotMatch(stdout, /:9229/);
    await rm(tmp, { recursive: true });
  });

  it("collects garbage on SIGUSR2, and goes on", async () => {
    await using daemon = await startDaemon();
    process.kill(daemon.pid, "SIGUSR2");
    await logged(daemon, "collected garbage");
    assert.equal(await daemon.stop(), 0);
  });

  it("writes profiles of its life for their owner when it ends", async () => {
    const dir = await mkdtemp("/run/profiles-");
    const [cpu, heap] = [join(dir, "cpu.cpuprofile"), join(dir, "mem.heapprofile")];
    await using daemon = await startDaemon({ flags: ["--profile-cpu", cpu, "--profile-mem", heap] });
    assert.equal(await daemon.stop(), 0);
    assert.ok(JSON.parse(await readFile(cpu, "utf8")).nodes.length > 0);
    assert.ok(JSON.parse(await readFile(heap, "utf8")).head.children.length > 0);
    assert.deepEqual([(await stat(cpu)).mode & 0o777, (await stat(heap)).mode & 0o777], [0o600, 0o600]);
    await rm(dir, { recursive: true });
  });

  it("runs in the mount namespace of KUBENSMNT, and in its own when that is none", async () => {
    const dir = await mkdtemp("/run/kubensmnt-");
    const pin = join(dir, "mnt");
    await mustRun(["sh", "-c", 'mount --bind "$1" "$1" && mount --make-private "$1" && touch "$2"', "sh", dir, pin]);
    await pinMountNamespace(pin);
    {
      await using daemon = await startDaemon({ env: { KUBENSMNT: pin } });
      await logged(daemon, "Joined mount namespace");
      assert.notEqual(await readlink(`/proc/${daemon.pid}/ns/mnt`), await readlink("/proc/self/ns/mnt"));
      assert.equal(await daemon.stop(), 0);
    }
    await mustRun(["umount", pin]);
    await mustRun(["umount", dir]);
    await using daemon = await startDaemon({ env: { KUBENSMNT: "/etc/hostname" } });
    await logged(daemon, "the mount namespace of KUBENSMNT was not joined");
    assert.equal(await readlink(`/proc/${daemon.pid}/ns/mnt`), await readlink("/proc/self/ns/mnt"));
    await rm(dir, { recursive: true });
  });
});

/** Some kernels number namespaces for each processor, and refuse to pin one whose number is lower than that of the one it is pinned in. */
async function pinMountNamespace(pin: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const { code, stderr } = await run(["unshare", `--mount=${pin}`, "--propagation", "slave", "true"]);
    if (code === 0) return;
    assert.ok(Date.now() < deadline, stderr);
  }
}

async function logged(daemon: Daemon, words: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await daemon.log()).includes(words)) {
    assert.ok(Date.now() < deadline, `the daemon does not log ${JSON.stringify(words)}`);
    await sleep(20);
  }
}
