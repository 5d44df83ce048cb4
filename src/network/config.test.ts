import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { parseNetworkList, parsePluginFile, parseSingleNetwork, withPlugins } from "./config.ts";

const list = (value: unknown) => parseNetworkList(Buffer.from(JSON.stringify(value)), "a.conflist");
const single = (value: unknown) => parseSingleNetwork(Buffer.from(JSON.stringify(value)), "a.conf", "a.conf");
const bridge = { type: "bridge", bridge: "cni0", capabilities: { bandwidth: true, portMappings: false } };

describe("parseNetworkList", () => {
  it("reads what a runtime needs and keeps the rest for the plugins", () => {
    const bytes = Buffer.from(
      '{"cniVersion":"0.4.0","name":"pods","disableCheck":"TRUE","plugins":[{"type":"x","vni":9007199254740993,"my":{"own":[1.50]}}]}',
    );
    const network = parseNetworkList(bytes, "a.conflist");
    assert.equal(network.name, "pods");
    assert.equal(network.cniVersion, "0.4.0");
    assert.equal(network.disableCheck, true);
    assert.equal(network.disableGC, false);
    assert.equal(network.bytes, bytes);
    assert.equal(JSON.stringify(network.plugins[0]?.config), '{"type":"x","vni":9007199254740993,"my":{"own":[1.50]}}');
  });

  it("lists the capabilities that are wanted", () => {
    assert.deepEqual(list({ name: "n", plugins: [bridge] }).plugins[0]?.capabilities, ["bandwidth"]);
  });

  it("chooses among cniVersion and cniVersions, newest first, and leaves out what it does not know", () => {
    const versions = (value: object) => list({ name: "n", plugins: [bridge], ...value }).versions;
    assert.deepEqual(versions({}), ["0.1.0"]);
    assert.deepEqual(versions({ cniVersion: "1.0.0" }), ["1.0.0"]);
    assert.deepEqual(versions({ cniVersion: "0.4.0", cniVersions: ["1.0.0", "1.1.0", "7.0.0"] }), [
      "1.1.0",
      "1.0.0",
      "0.4.0",
    ]);
    assert.deepEqual(versions({ cniVersion: "2.0.0", cniVersions: ["0.3.1"] }), ["0.3.1"]);
    assert.throws(() => versions({ cniVersion: "2.0.0" }), /"2\.0\.0" is none of 0\.1\.0/);
  });

  it("refuses lists that nothing can be made of", () => {
    const bad: readonly object[] = [
      { plugins: [bridge] },
      { name: "", plugins: [bridge] },
      { name: "../../etc/passwd", plugins: [bridge] },
      { name: "a\nb", plugins: [bridge] },
      { name: 5, plugins: [bridge] },
      { name: "n", plugins: [] },
      { name: "n", plugins: {} },
      { name: "n", plugins: [{}] },
      { name: "n", plugins: [{ type: "../bin/sh" }] },
      { name: "n", plugins: [{ type: "x", capabilities: { a: "yes" } }] },
      { name: "n", plugins: [bridge], disableGC: "perhaps" },
      { name: "n", loadOnlyInlinedPlugins: true },
    ];
    for (const value of bad)
      assert.throws(
        () => list(value),
        (e) => isFault(e, "invalid"),
        JSON.stringify(value),
      );
  });

  it("waits for the plugins of its directory when it has none of its own", () => {
    const network = list({ name: "n", cniVersion: "1.1.0" });
    assert.deepEqual([network.plugins.length, network.loadsPluginDirectory], [0, true]);
  });
});

describe("withPlugins", () => {
  it("puts the plugins of the directory behind its own, in bytes too", () => {
    const plugin = parsePluginFile(Buffer.from('{"type":"tuning","big":12345678901234567890}'), "t.conf");
    const whole = withPlugins(list({ name: "n", cniVersion: "1.1.0", plugins: [bridge] }), [plugin]);
    assert.deepEqual(
      whole.plugins.map(({ type }) => type),
      ["bridge", "tuning"],
    );
    const again = parseNetworkList(whole.bytes, "cached");
    assert.equal(again.loadsPluginDirectory, false);
    assert.match(JSON.stringify(again.plugins[1]?.config), /12345678901234567890/);
  });
});

describe("parseSingleNetwork", () => {
  it("makes a list of one, named by the file when it has no name", () => {
    const network = single({ cniVersion: "0.3.1", ...bridge });
    assert.equal(network.name, "a.conf");
    assert.equal(network.cniVersion, "0.3.1");
    assert.deepEqual(JSON.parse(Buffer.from(network.bytes).toString()), {
      name: "a.conf",
      cniVersion: "0.3.1",
      plugins: [{ cniVersion: "0.3.1", ...bridge }],
    });
    assert.equal(single({ name: "pods", ...bridge }).name, "pods");
  });

  it("says what to do with a list in a file for one plugin", () => {
    assert.throws(() => single({ name: "n", plugins: [bridge] }), /belongs into a \.conflist file/);
  });
});
