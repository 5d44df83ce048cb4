import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault, reasonOf } from "../base/index.ts";
import { findProgram, runProgram } from "../host/index.ts";
import type { Attachment } from "./attachment.ts";
import { addChain, askStatus, checkChain, collectChain, deleteChain } from "./chain.ts";
import { type Network, parseNetworkList } from "./config.ts";
import { resultOf } from "./result.ts";
import { addressAnswer, failAnswer, ScriptedPlugins } from "./scripted-plugins.ts";

const attachment: Attachment = {
  containerId: "c1",
  netns: "/run/netns/a",
  ifName: "eth0",
  args: [],
  capabilityArgs: { bandwidth: { ingressRate: 1 }, cgroupPath: "/kube", __proto__x: 1 },
};

const hostOf = ({ binDir }: ScriptedPlugins) => ({ pluginDirs: [binDir], runner: { runProgram, findProgram } });
const options = () => ({ timeoutMs: 20_000, signal: AbortSignal.timeout(20_000) });

function network(cniVersion: string, ...plugins: readonly object[]): Network {
  return parseNetworkList(Buffer.from(JSON.stringify({ name: "pods", cniVersion, plugins })), "a.conflist");
}

async function twoPlugins(): Promise<ScriptedPlugins> {
  const plugins = await ScriptedPlugins.make();
  await plugins.plugin("one", { ADD: addressAnswer("10.9.0.5/24") });
  await plugins.plugin("two", { ADD: addressAnswer("10.9.0.6/24") });
  return plugins;
}

describe("addChain", () => {
  it("hands each plugin the result of the one before, and its capabilities only", async () => {
    await using plugins = await twoPlugins();
    const chain = network(
      "0.4.0",
      { type: "one", own: { key: [1] }, name: "other", cniVersion: "0.1.0", capabilities: { bandwidth: true } },
      { type: "two", capabilities: { cgroupPath: true, bandwidth: false, portMappings: true } },
    );
    const outcome = await addChain(hostOf(plugins), chain, attachment, options());
    assert.ok(outcome.is === "added");
    assert.equal(JSON.stringify(outcome.result.json.ips), '[{"version":"4","address":"10.9.0.6/24"}]');
    assert.deepEqual(
      (await plugins.calls()).map(({ config }) => config),
      [
        {
          type: "one",
          own: { key: [1] },
          name: "pods",
          cniVersion: "0.4.0",
          capabilities: { bandwidth: true },
          runtimeConfig: { bandwidth: { ingressRate: 1 } },
        },
        {
          type: "two",
          name: "pods",
          cniVersion: "0.4.0",
          capabilities: { cgroupPath: true, bandwidth: false, portMappings: true },
          runtimeConfig: { cgroupPath: "/kube" },
          prevResult: { cniVersion: "0.4.0", ips: [{ version: "4", address: "10.9.0.5/24" }] },
        },
      ],
    );
  });

  it("converts what a plugin says in another version", async () => {
    await using plugins = await ScriptedPlugins.make();
    await plugins.plugin("one", { ADD: `echo '{"cniVersion":"0.2.0","ip4":{"ip":"10.9.0.5/24"}}'` });
    const outcome = await addChain(hostOf(plugins), network("1.0.0", { type: "one" }), attachment, options());
    assert.ok(outcome.is === "added");
    assert.deepEqual(outcome.result.json, { ips: [{ address: "10.9.0.5/24" }], cniVersion: "1.0.0" });
  });

  it("stops at the first failure and keeps what was made before it", async () => {
    await using plugins = await twoPlugins();
    await plugins.plugin("bad", { ADD: failAnswer(7, "no") });
    const chain = network("1.0.0", { type: "one" }, { type: "bad" }, { type: "two" });
    const outcome = await addChain(hostOf(plugins), chain, attachment, options());
    assert.ok(outcome.is === "failed");
    assert.match(reasonOf(outcome.error), /plugin type="bad" name="pods" failed \(add\): no \(code 7, /);
    assert.deepEqual(outcome.partial?.json.ips, [{ version: "4", address: "10.9.0.5/24" }]);
    assert.deepEqual(await plugins.order(), ["one ADD", "bad ADD"]);
  });

  it("fails on output that is no result", async () => {
    for (const [output, why] of [
      ["", /printed no valid result .*: nothing/],
      ["hello", /not valid JSON\): "hello/],
      ['{"ips":[{"address":"nowhere"}]}', /"nowhere\\?" is no address/],
      ['{"cniVersion":"3.0.0"}', /"3\.0\.0\\?" is none of/],
      ["[]", /not an object/],
    ] as const) {
      await using plugins = await ScriptedPlugins.make();
      await plugins.plugin("one", { ADD: `printf %s '${output}'` });
      const outcome = await addChain(hostOf(plugins), network("1.0.0", { type: "one" }), attachment, options());
      assert.ok(outcome.is === "failed", output);
      assert.match(reasonOf(outcome.error), why);
    }
  });
});

describe("checkChain", () => {
  it("tells every plugin the whole result", async () => {
    await using plugins = await twoPlugins();
    const result = resultOf({ cniVersion: "1.0.0", ips: [{ address: "10.9.0.6/24" }] }, "1.0.0");
    await checkChain(
      hostOf(plugins),
      network("1.0.0", { type: "one" }, { type: "two" }),
      attachment,
      result,
      options(),
    );
    const calls = await plugins.calls();
    assert.deepEqual(await plugins.order(), ["one CHECK", "two CHECK"]);
    for (const { config } of calls) assert.deepEqual(config.prevResult, result.json);
  });
});

describe("deleteChain", () => {
  const result = resultOf({ cniVersion: "0.4.0", ips: [{ version: "4", address: "10.9.0.6/24" }] }, "0.4.0");

  it("goes backwards with the result of ADD", async () => {
    await using plugins = await twoPlugins();
    const chain = network("0.4.0", { type: "one" }, { type: "two" });
    await deleteChain(hostOf(plugins), chain, { ...attachment, netns: undefined }, result, options());
    const calls = await plugins.calls();
    assert.deepEqual(await plugins.order(), ["two DEL", "one DEL"]);
    assert.deepEqual(calls[0]?.config.prevResult, result.json);
    assert.deepEqual([calls[0]?.env.CNI_NETNS, calls[0]?.env.CNI_IFNAME], ["", "eth0"]);
  });

  it("does not tell plugins of older versions the result", async () => {
    await using plugins = await twoPlugins();
    const old = resultOf({ cniVersion: "0.3.1", ips: [] }, "0.3.1");
    await deleteChain(hostOf(plugins), network("0.3.1", { type: "one" }), attachment, old, options());
    assert.equal("prevResult" in ((await plugins.calls())[0]?.config ?? {}), false);
  });

  it("stops at a failure, so that nothing is freed that the plugin may still point to", async () => {
    await using plugins = await twoPlugins();
    await plugins.plugin("two", { DEL: failAnswer(100, "busy") });
    const chain = network("0.4.0", { type: "one" }, { type: "two" });
    await assert.rejects(deleteChain(hostOf(plugins), chain, attachment, result, options()), /busy/);
    assert.deepEqual(await plugins.order(), ["two DEL"]);
  });

  it("tries all and tells all when asked to", async () => {
    await using plugins = await twoPlugins();
    await plugins.plugin("two", { DEL: failAnswer(100, "busy") });
    await plugins.plugin("one", { DEL: failAnswer(100, "tired") });
    const chain = network("0.4.0", { type: "one" }, { type: "two" });
    await assert.rejects(
      deleteChain(hostOf(plugins), chain, attachment, result, { ...options(), tryAll: true }),
      (e) => isFault(e) && /two.*busy.*; .*one.*tired/.test(e.message),
    );
    assert.deepEqual(await plugins.order(), ["two DEL", "one DEL"]);
  });
});

describe("askStatus", () => {
  it("asks plugins since 1.1.0, without an attachment", async () => {
    await using plugins = await twoPlugins();
    await askStatus(hostOf(plugins), network("1.0.0", { type: "one" }), options());
    await askStatus(hostOf(plugins), network("1.1.0", { type: "one" }, { type: "two" }), options());
    const [first] = await plugins.calls();
    assert.deepEqual(await plugins.order(), ["one STATUS", "two STATUS"]);
    assert.deepEqual(first?.config, { type: "one", name: "pods", cniVersion: "1.1.0" });
    assert.equal(first?.env.CNI_CONTAINERID, undefined);
  });

  it("rejects with the plugin's reason", async () => {
    await using plugins = await twoPlugins();
    await plugins.plugin("one", { STATUS: failAnswer(50, "no agent") });
    const asked = askStatus(hostOf(plugins), network("1.1.0", { type: "one" }), options());
    await assert.rejects(
      asked,
      (e) => isFault(e, "unavailable") && /no agent \(code 50, the plugin is not/.test(e.message),
    );
  });
});

describe("collectChain", () => {
  const valid = [{ containerID: "c1", ifname: "eth0" }];

  it("tells every plugin what is valid, under both names, whatever the others say", async () => {
    await using plugins = await twoPlugins();
    await plugins.plugin("one", { GC: failAnswer(100, "tired") });
    const chain = network("1.1.0", { type: "one" }, { type: "two" });
    await assert.rejects(collectChain(hostOf(plugins), chain, valid, options()), /tired/);
    const calls = await plugins.calls();
    assert.deepEqual(await plugins.order(), ["one GC", "two GC"]);
    assert.deepEqual(calls[1]?.config["cni.dev/valid-attachments"], valid);
    assert.deepEqual(calls[1]?.config["cni.dev/attachments"], valid);
  });

  it("leaves older networks and those that forbid it alone", async () => {
    await using plugins = await twoPlugins();
    await collectChain(hostOf(plugins), network("1.0.0", { type: "one" }), valid, options());
    await collectChain(hostOf(plugins), { ...network("1.1.0", { type: "one" }), disableGC: true }, valid, options());
    assert.deepEqual(await plugins.order(), []);
  });
});
