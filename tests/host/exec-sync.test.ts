/** ExecSync with commands that write without end, do not end, or leave something behind. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { eventually, Scene } from "./streaming/scene.ts";

const limitBytes = 16 << 20;

for (const runtime of ["crun", "runc"] as const) {
  describe(`ExecSync with ${runtime}`, { timeout: 120_000 }, () => {
    let scene: Scene;
    before(async () => {
      scene = await Scene.start({ runtime });
    });
    after(() => scene[Symbol.asyncDispose]());

    const exec = (script: string, options: { readonly timeout?: bigint; readonly signal?: AbortSignal } = {}) => {
      const { timeout = 60n, signal } = options;
      const request = { containerId: scene.container, cmd: ["sh", "-c", script], timeout };
      return scene.cri.runtime.execSync(request, signal === undefined ? {} : { signal });
    };
    const nothingIsLeft = async () => {
      await eventually("no command is left", async () => scene.commands().length === 0);
      await eventually("no file is left", async () => !(await hasFiles()));
    };
    const hasFiles = async () =>
      (await readdir("/var/run/crio/exec-pid-dir")).some((name) => name.startsWith("crio-exec-"));

    it("gives the output, the errors and the exit code", async () => {
      const { stdout, stderr, exitCode } = await exec("echo out; printf partial; echo err >&2; exit 3");
      assert.deepEqual([String(stdout), String(stderr), exitCode], ["out\npartial", "err\n", 3]);
      await nothingIsLeft();
    });

    it("says why a command does not run", async () => {
      const request = { containerId: scene.container, cmd: ["/no/such"], timeout: 10n };
      await assert.rejects(scene.cri.runtime.execSync(request), /command error: .*no such file or directory/is);
      await nothingIsLeft();
    });

    it("gives a command a terminal in a container that has one", async () => {
      const withTerminal = await scene.run({ name: "screen", command: ["sh"], more: { stdin: true, tty: true } });
      const request = { containerId: withTerminal, cmd: ["sh", "-c", "tty; echo err >&2; exit 5"], timeout: 10n };
      const { stdout, stderr, exitCode } = await scene.cri.runtime.execSync(request);
      assert.deepEqual([String(stdout), String(stderr), exitCode], ["/dev/pts/1\r\nerr\r\n", "", 5]);
      const endless = { containerId: withTerminal, cmd: ["sh", "-c", "sleep 307 & sleep 308"], timeout: 1n };
      assert.equal((await scene.cri.runtime.execSync(endless)).exitCode, -1);
      await scene.crictl.do("stop", "--timeout", "0", withTerminal);
      await nothingIsLeft();
    });

    it("gives the first 16 MiB of what a command writes, and its exit code all the same", async () => {
      const { stdout, exitCode } = await exec(`head -c ${2 * limitBytes} /dev/zero | tr '\\0' x; exit 4`);
      assert.equal(exitCode, 4);
      assert.ok(stdout.length > limitBytes / 2 && stdout.length <= limitBytes, `${stdout.length} bytes`);
      assert.ok(Buffer.from(stdout).every((byte) => byte === 0x78));
      await nothingIsLeft();
    });

    it("ends a command that writes without end when its time is over", async () => {
      const { stdout, stderr, exitCode } = await exec("yes", { timeout: 1n });
      assert.deepEqual([String(stderr), exitCode], ["command timed out", -1]);
      assert.ok(stdout.length <= limitBytes);
      await nothingIsLeft();
    });

    it("ends all that a command has started when its time is over, jobs with groups of their own too", async () => {
      const { stderr, exitCode } = await exec("set -m; sleep 301 & sleep 302 & sleep 303", { timeout: 1n });
      assert.deepEqual([String(stderr), exitCode], ["command timed out", -1]);
      await nothingIsLeft();
    });

    it("answers although a child in the background keeps the output open", async () => {
      const { stdout, exitCode } = await exec("sleep 304 & echo $!");
      assert.equal(exitCode, 0);
      assert.deepEqual(scene.commands(), ["sleep 304"], "it goes on");
      await exec(`kill ${Number(String(stdout))}`);
      await nothingIsLeft();
    });

    it("ends a command whose caller has left, whether it runs already or not", async () => {
      for (const whenRunning of [true, false, false, false]) {
        const caller = new AbortController();
        const asked = exec("sleep 305 & sleep 306", { signal: caller.signal });
        const failed = assert.rejects(asked, /CANCELLED/);
        if (whenRunning) await eventually("it runs", async () => scene.commands().includes("sleep 306"));
        else while (!(await hasFiles())) await turn(); // it is being started
        caller.abort();
        await failed;
        await exec("true"); // starts after it
        await nothingIsLeft();
      }
    });
  });
}
