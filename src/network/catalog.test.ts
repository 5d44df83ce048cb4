import assert from "node:assert/strict";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createLogger, silentLogger } from "../base/index.ts";
import { findProgram, runProgram } from "../host/index.ts";
import { NetworkCatalog } from "./catalog.ts";
import { PluginVersions } from "./plugin-versions.ts";
import { ScriptedPlugins } from "./scripted-plugins.ts";

function catalogOf(plugins: ScriptedPlugins, defaultNetwork = "", log = silentLogger): NetworkCatalog {
  const host = { pluginDirs: [plugins.binDir], runner: { runProgram, findProgram } };
  const signal = new AbortController().signal;
  return new NetworkCatalog({
    confDir: plugins.confDir,
    defaultNetwork,
    versions: new PluginVersions(host),
    log,
    signal,
  });
}

const list = (name: string, type = "p", more: object = {}) => ({
  name,
  cniVersion: "1.0.0",
  plugins: [{ type }],
  ...more,
});

describe("NetworkCatalog", () => {
  it("reads all three kinds of files by name; the first usable network is the default", async () => {
    await using plugins = await ScriptedPlugins.make();
    await plugins.plugin("p");
    await plugins.configure("30-c.conflist", list("c"));
    await plugins.configure("20-b.conf", { name: "b", type: "p", cniVersion: "0.3.1" });
    await plugins.configure("40-d.json", { type: "p" });
    await plugins.configure("10-broken.conflist", "{");
    await plugins.configure("11-missing.conflist", list("missing", "absent"));
    await plugins.configure("12-not-this.txt", list("txt"));
    await mkdir(join(plugins.confDir, "13-dir.conflist"));
    const catalog = catalogOf(plugins);
    await catalog.sync();
    assert.equal(catalog.defaultNetwork?.name, "b");
    assert.deepEqual(
      catalog.networks.map(({ name }) => name),
      ["b", "c", "40-d.json"],
    );
  });

  it("keeps the first of two networks of one name", async () => {
    await using plugins = await ScriptedPlugins.make();
    await plugins.plugin("p");
    await plugins.configure("1.conflist", list("same", "p", { cniVersion: "0.4.0" }));
    await plugins.configure("2.conflist", list("same"));
    const catalog = catalogOf(plugins);
    await catalog.sync();
    assert.deepEqual([catalog.networks.length, catalog.get("same")?.cniVersion], [1, "0.4.0"]);
  });

  it("takes no other network for the one that is asked for", async () => {
    await using plugins = await ScriptedPlugins.make();
    await plugins.plugin("p");
    await plugins.configure("1.conflist", list("a"));
    const catalog = catalogOf(plugins, "wanted");
    await catalog.sync();
    const before = catalog.defaultNetwork;
    await plugins.configure("2.conflist", list("wanted"));
    await catalog.sync();
    assert.deepEqual([before, catalog.defaultNetwork?.name], [undefined, "wanted"]);
    assert.equal(catalog.get("a")?.name, "a");
  });

  it("says why there is none, with the kubelet's words first", async () => {
    await using plugins = await ScriptedPlugins.make();
    const catalog = catalogOf(plugins);
    await catalog.sync();
    const words = `no CNI configuration file in ${plugins.confDir}. Has your network provider started?`;
    assert.equal(catalog.missing, words);
    await plugins.configure("1.conflist", list("a", "absent"));
    await catalog.sync();
    assert.equal(
      catalog.missing,
      `${words} (1.conflist cannot be used: failed to find plugin "absent" in path [${plugins.binDir}])`,
    );
  });

  it("chooses the newest version that the configuration allows and all plugins speak", async () => {
    await using plugins = await ScriptedPlugins.make();
    await plugins.plugin("new");
    await plugins.plugin("old", { VERSION: `echo '{"cniVersion":"0.4.0","supportedVersions":["0.3.1","0.4.0"]}'` });
    await plugins.plugin("ancient", { VERSION: `echo '{"code":4,"msg":"unknown CNI_COMMAND: VERSION"}'; exit 1` });
    const both = { cniVersions: ["0.4.0", "1.0.0", "1.1.0"], plugins: [{ type: "new" }, { type: "old" }] };
    await plugins.configure("1.conflist", list("mixed", "", both));
    await plugins.configure("2.conflist", list("strict", "old"));
    await plugins.configure("3.conflist", list("first", "ancient", { cniVersion: "" }));
    const catalog = catalogOf(plugins);
    await catalog.sync();
    assert.deepEqual(
      catalog.networks.map(({ name, cniVersion }) => [name, cniVersion]),
      [
        ["mixed", "0.4.0"],
        ["first", "0.1.0"],
      ],
    );
  });

  it("adds the plugins of the network's directory, unless told not to", async () => {
    await using plugins = await ScriptedPlugins.make();
    for (const name of ["p", "q", "r"]) await plugins.plugin(name);
    await plugins.configure("1.conflist", list("a"));
    await plugins.configure("2.conflist", { name: "b", cniVersion: "1.1.0" });
    await plugins.configure("3.conflist", list("c", "p", { loadOnlyInlinedPlugins: true }));
    for (const name of ["a", "b", "c"]) {
      await mkdir(join(plugins.confDir, name));
      await writeFile(join(plugins.confDir, name, "2.conf"), '{"type":"r"}');
      await writeFile(join(plugins.confDir, name, "1.conf"), '{"type":"q"}');
      await writeFile(join(plugins.confDir, name, "0.json"), '{"type":"none"}');
    }
    const catalog = catalogOf(plugins);
    await catalog.sync();
    const types = (name: string) => catalog.get(name)?.plugins.map(({ type }) => type);
    assert.deepEqual([types("a"), types("b"), types("c")], [["p", "q", "r"], ["q", "r"], ["p"]]);
  });

  it("refuses files that are too long or no files, without reading them to the end", async () => {
    await using plugins = await ScriptedPlugins.make();
    await plugins.plugin("p");
    await plugins.configure("1.conflist", JSON.stringify(list("long", "p", { pad: "x".repeat(2 * 1024 * 1024) })));
    await symlink("/dev/zero", join(plugins.confDir, "2.conflist"));
    await plugins.configure("3.conflist", list("good"));
    const catalog = catalogOf(plugins);
    await catalog.sync();
    assert.deepEqual(
      catalog.networks.map(({ name }) => name),
      ["good"],
    );
  });

  it("asks a plugin again only when its program has changed, and complains once of a bad file", async () => {
    await using plugins = await ScriptedPlugins.make();
    const lines: string[] = [];
    const log = createLogger({ level: () => "warn", format: "text", write: (line) => lines.push(line) });
    const count = `echo x >>${plugins.root}/asked;`;
    const answer = (versions: string) => `${count} echo '{"cniVersion":"1.0.0","supportedVersions":["${versions}"]}'`;
    await plugins.plugin("p", { VERSION: answer("1.0.0") });
    await plugins.configure("1.conflist", list("a"));
    await plugins.configure("2.conflist", "{");
    const catalog = catalogOf(plugins, "", log);
    for (let n = 0; n < 3; n++) await catalog.sync();
    assert.equal(await asked(plugins), 1);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /not used.*2\.conflist is not valid JSON/);
    await plugins.plugin("p", { VERSION: answer("0.4.0") });
    await catalog.sync();
    assert.deepEqual([await asked(plugins), catalog.defaultNetwork], [2, undefined]);
    assert.match(lines[1] ?? "", /does not support config version .*1\.0\.0.*it speaks 0\.4\.0/);
  });

  it("sees what changed before sync was called, also while another is going on", async () => {
    await using plugins = await ScriptedPlugins.make();
    await plugins.plugin("p");
    await plugins.configure("1.conflist", list("a"));
    const catalog = catalogOf(plugins);
    const first = catalog.sync();
    await rm(join(plugins.confDir, "1.conflist"));
    await plugins.configure("2.conflist", list("b"));
    await Promise.all([first, catalog.sync(), catalog.sync()]);
    assert.deepEqual(
      catalog.networks.map(({ name }) => name),
      ["b"],
    );
  });
});

async function asked({ root }: ScriptedPlugins): Promise<number> {
  return (await readFile(join(root, "asked"), "utf8")).split("\n").length - 1;
}
