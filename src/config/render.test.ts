import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { configToml, renderConfig } from "./render.ts";
import type { Config } from "./table.ts";
import { load } from "./testing.ts";

/** Everything but the command line, which no file can say. */
const inFile = ({ invocation: _, ...rest }: Config) => rest;

async function loadText(text: string): Promise<Config> {
  const { config, notes } = await load({ files: { "crio.conf": text } });
  assert.deepEqual(
    notes.filter(({ level, message }) => level === "warn" && message !== "configuration key has no effect yet"),
    [],
  );
  return config;
}

/** Takes the `# ` from settings and tables, and leaves the sentences. */
function uncommented(text: string): string {
  return text.replace(/^# (?=\[[a-z_.]+\]$|[a-z_]+ = |\t"|\]$)/gm, "");
}

const changedText = `[crio]
root = "/other"
storage_option = ["overlay.mountopt=nodev"]
[crio.runtime]
log_level = "debug"
default_env = ["QUOTES=\\"\\\\", "TAB=\\t", "DEL=\\u007F", "UMLAUT=ü"]
default_sysctls = ["net.ipv4.ip_unprivileged_port_start=0"]
infra_ctr_cpuset = "0-3"
[crio.runtime.runtimes."odd name"]
runtime_path = "/x"
platform_runtime_paths = { "wasi/wasm32" = "/w" }
[crio.runtime.workloads.w]
activation_annotation = "a"
[crio.runtime.workloads.w.resources]
cpushares = 9007199254740993
[crio.image]
pull_progress_timeout = "1m0.5s"
[crio.nri.default_validator]
nri_enable_default_validator = true
`;

describe("renderConfig", () => {
  it("comments every default, so that nothing is left to parse but empty tables", async () => {
    const { config, defaults } = await load();
    const text = renderConfig(config, { defaults });
    const settings = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    assert.ok(
      settings.every((line) => /^\[crio[a-z_.]*\]$/.test(line)),
      settings.join("\n"),
    );
    assert.deepEqual(inFile(await loadText(text)), inFile(config));
  });

  it("with every line uncommented is the defaults", async () => {
    const { config, defaults } = await load();
    const text = uncommented(renderConfig(config, { defaults }));
    assert.equal((text.match(/^[a-z_]+ = /gm) ?? []).length, 128 + 20);
    assert.deepEqual(inFile(await loadText(text)), inFile(config));
  });

  it("with --default is the defaults, with every setting uncommented", async () => {
    const { config, defaults } = await load();
    const text = renderConfig(defaults, { defaults, all: true });
    assert.equal((text.match(/^[a-z_]+ = /gm) ?? []).length, 128 + 20);
    assert.deepEqual(inFile(await loadText(text)), inFile(config));
  });

  it("prints what differs as settings, and the whole reads back", async () => {
    const { config, defaults } = await load({ files: { "crio.conf": changedText } });
    const text = renderConfig(config, { defaults });
    assert.match(text, /^log_level = "debug"$/m);
    assert.match(text, /^# log_filter = ""$/m);
    assert.match(text, /^\[crio\.runtime\.runtimes\."odd name"\]$/m);
    assert.deepEqual(inFile(await loadText(text)), inFile(config));
  });

  it("has the sections in CRI-O's order", async () => {
    const { config, defaults } = await load();
    const tables = renderConfig(config, { defaults, all: true }).match(/^\[.*\]$/gm);
    assert.deepEqual(tables, [
      "[crio]",
      "[crio.api]",
      "[crio.runtime]",
      "[crio.runtime.runtimes.crun]",
      "[crio.checkpoint_restore]",
      "[crio.image]",
      "[crio.network]",
      "[crio.metrics]",
      "[crio.tracing]",
      "[crio.nri]",
      "[crio.nri.default_validator]",
      "[crio.stats]",
    ]);
  });
});

describe("configToml", () => {
  it("is the same settings without comments", async () => {
    const { config } = await load({ files: { "crio.conf": changedText } });
    const text = configToml(config);
    assert.doesNotMatch(text, /^#/m);
    assert.deepEqual(inFile(await loadText(text)), inFile(config));
  });
});
