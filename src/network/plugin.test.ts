import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { findProgram, runProgram } from "../host/index.ts";
import { callPlugin, type PluginCall } from "./plugin.ts";
import { failAnswer, ScriptedPlugins } from "./scripted-plugins.ts";

const call = (type: string): PluginCall => ({
  command: "ADD",
  type,
  network: "pods",
  input: '{"name":"pods"}',
  attachment: {
    containerId: "c1",
    netns: "/run/netns/a",
    ifName: "eth0",
    args: [
      ["A", "1"],
      ["B", ""],
    ],
    capabilityArgs: {},
  },
});

async function run(plugins: ScriptedPlugins, type: string, timeoutMs = 20_000): Promise<string> {
  const host = { pluginDirs: ["/nowhere", plugins.binDir], runner: { runProgram, findProgram } };
  return String(await callPlugin(host, call(type), { timeoutMs, signal: AbortSignal.timeout(timeoutMs) }));
}

/** The Fault that a plugin with this script for ADD leads to. */
async function faultOf(
  script: string,
  timeoutMs?: number,
): Promise<{ readonly code: string; readonly message: string }> {
  await using plugins = await ScriptedPlugins.make();
  await plugins.plugin("p", { ADD: script });
  const error: unknown = await run(plugins, "p", timeoutMs).catch((reason: unknown) => reason);
  assert.ok(isFault(error), String(error));
  return error;
}

describe("callPlugin", () => {
  it("tells a plugin what the specification says, and nothing of the daemon's environment", async () => {
    await using plugins = await ScriptedPlugins.make();
    await plugins.plugin("p", { ADD: "echo made; echo noise >&2" });
    process.env.HTTPS_PROXY = "http://user:secret@proxy";
    try {
      assert.equal(await run(plugins, "p"), "made\n");
    } finally {
      delete process.env.HTTPS_PROXY;
    }
    const [made] = await plugins.calls();
    const { PWD, SHLVL, _, ...env } = made?.env ?? {}; // the shell's own
    assert.deepEqual(env, {
      PATH: process.env.PATH,
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: "c1",
      CNI_NETNS: "/run/netns/a",
      CNI_IFNAME: "eth0",
      CNI_ARGS: "A=1;B=",
      CNI_PATH: `/nowhere:${plugins.binDir}`,
    });
    assert.deepEqual(made?.config, { name: "pods" });
  });

  it("repeats the plugin's own words", async () => {
    const told = await faultOf(failAnswer(100, "no free address", "range 10.0.0.0/30"));
    assert.equal(told.code, "failed");
    assert.equal(
      told.message,
      'plugin type="p" name="pods" failed (add): no free address; range 10.0.0.0/30 (code 100)',
    );
  });

  it("knows the codes that mean: later", async () => {
    const told = await faultOf(failAnswer(11, "agent starts"));
    assert.equal(told.code, "unavailable");
    assert.match(told.message, /agent starts \(code 11, try again later\)$/);
  });

  it("takes standard error, the status or the signal when there is no error object", async () => {
    assert.match((await faultOf("echo one >&2; echo two >&2; exit 3")).message, /\(add\): exit status 3: one\ntwo$/);
    assert.match((await faultOf("echo garbage; exit 4")).message, /\(add\): exit status 4: garbage$/);
    assert.match((await faultOf("exit 5")).message, /\(add\): exit status 5 and no error message$/);
    assert.match((await faultOf("kill -SEGV $$")).message, /\(add\): signal 11 and no error message$/);
  });

  it("finds the reason in a Go program's last words", async () => {
    const panic = `printf 'log\\npanic: nil pointer\\n\\ngoroutine 1:\\n%s' "$(seq 50)" >&2; exit 2`;
    assert.match((await faultOf(panic)).message, /\(add\): exit status 2: panic: nil pointer$/);
  });

  it("bounds what it repeats and what it reads", async () => {
    const long = await faultOf(`head -c 500000 /dev/zero | tr '\\0' x >&2; exit 1`);
    assert.ok(long.message.length < 2500);
    const endless = await faultOf("yes");
    assert.equal(endless.code, "exhausted");
    assert.match(endless.message, /plugin type="p" name="pods" failed \(add\): .*1048576 bytes/);
  });

  it("kills a plugin that hangs, with its children, and says after how long", async () => {
    await using plugins = await ScriptedPlugins.make();
    await plugins.plugin("p", { ADD: `sleep 1000 & echo $! >${plugins.root}/child; sleep 1000` });
    const error: unknown = await run(plugins, "p", 500).catch((reason: unknown) => reason);
    assert.ok(isFault(error, "deadline"), String(error));
    assert.match(error.message, /^plugin type="p" name="pods" failed \(add\): killed after 0\.[5-9] s: /);
    await using file = await open(join(plugins.root, "child"));
    const child = Number(await file.readFile("utf8"));
    await untilGone(child);
  });

  it("names the directories in which it looked", async () => {
    await using plugins = await ScriptedPlugins.make();
    await assert.rejects(run(plugins, "p"), (e) => {
      assert.ok(isFault(e, "not-found"));
      assert.equal(e.message, `failed to find plugin "p" in path [/nowhere ${plugins.binDir}]`);
      return true;
    });
    await assert.rejects(run(plugins, "../p"), (e) => isFault(e, "invalid"));
  });

  it("waits for a plugin that is being written", async () => {
    await using plugins = await ScriptedPlugins.make();
    await plugins.plugin("p", { ADD: "echo made" });
    const writer = await open(join(plugins.binDir, "p"), "a");
    const made = run(plugins, "p");
    // Longer than the process starter itself is patient.
    await new Promise((resolve) => setTimeout(resolve, 600));
    await writer.close();
    assert.equal(await made, "made\n");
  });
});

async function untilGone(pid: number): Promise<void> {
  const until = performance.now() + 5000;
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    assert.ok(performance.now() < until, `process ${pid} was left behind`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
