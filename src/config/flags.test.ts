import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { layerOfFlags } from "./flags.ts";
import type { OptionValue } from "./option.ts";
import { parseRuntimesFlag } from "./runtimes-flag.ts";

const flags = (given: Readonly<Record<string, readonly string[]>>) => layerOfFlags(new Map(Object.entries(given)), {});
const env = (given: Readonly<Record<string, string>>) => layerOfFlags(new Map(), given);

describe("layerOfFlags", () => {
  const values: readonly (readonly [string, readonly string[], string, OptionValue])[] = [
    ["listen", ["/a", "/b"], "crio.api.listen", "/b"],
    ["default-env", ["A=1", "B=2, C=3"], "crio.runtime.default_env", ["A=1", "B=2", "C=3"]],
    ["metrics-port", ["0x10"], "crio.metrics.metrics_port", 16],
    ["pids-limit", ["-5"], "crio.runtime.pids_limit", -5n],
    ["read-only", ["T"], "crio.runtime.read_only", true],
    ["pull-progress-timeout", ["1m"], "crio.image.pull_progress_timeout", 60_000],
    ["root", [""], "crio.root", ""],
  ];
  for (const [flag, texts, path, value] of values) {
    it(`reads --${flag} ${texts.join(" ")}`, () =>
      assert.deepEqual(flags({ [flag]: texts }).settings.get(path)?.value, value));
  }

  const refused: readonly (readonly [string, string, string])[] = [
    ["metrics-port", "foo", 'invalid value "foo" for flag -metrics-port: parse error'],
    [
      "metrics-port",
      "99999999999999999999",
      'invalid value "99999999999999999999" for flag -metrics-port: value out of range',
    ],
    ["pids-limit", "1.5", 'invalid value "1.5" for flag -pids-limit: parse error'],
    ["read-only", "maybe", 'invalid boolean value "maybe" for -read-only: parse error'],
    ["nri-plugin-request-timeout", "5", 'invalid value "5" for flag -nri-plugin-request-timeout: parse error'],
  ];
  for (const [flag, text, message] of refused) {
    it(`refuses --${flag} ${text} in Go's words`, () =>
      assert.throws(() => flags({ [flag]: [text] }), { code: "invalid", message }));
  }

  it("names the variable that cannot be read", () => {
    assert.throws(() => env({ CONTAINER_METRICS_PORT: "x" }), {
      message:
        'could not parse "x" as int value from environment variable "CONTAINER_METRICS_PORT" for flag metrics-port: parse error',
    });
  });

  it("takes a variable set to nothing for false, an empty list, an empty text, and no number", () => {
    const { settings } = env({
      CONTAINER_DROP_INFRA_CTR: "",
      CONTAINER_DEFAULT_ENV: "",
      CONTAINER_PAUSE_COMMAND: "",
      CONTAINER_METRICS_PORT: "",
    });
    assert.equal(settings.get("crio.runtime.drop_infra_ctr")?.value, false);
    assert.deepEqual(settings.get("crio.runtime.default_env")?.value, []);
    assert.equal(settings.get("crio.image.pause_command")?.value, "");
    assert.equal(settings.has("crio.metrics.metrics_port"), false);
  });

  it("replaces whole handlers by --runtimes", () => {
    const { handlers } = flags({ runtimes: ["runc:/usr/bin/runc:/run/runc,kata:/k:/r:vm:true:/c:64MiB"] });
    assert.deepEqual([...handlers.keys()], ["runc", "kata"]);
    assert.equal(handlers.get("kata")?.value.privilegedWithoutHostDevices, true);
    assert.deepEqual(handlers.get("runc")?.value.monitorEnv, []);
  });
});

describe("parseRuntimesFlag", () => {
  it("takes three to seven fields", () => {
    const { name, handler } = parseRuntimesFlag("kata:/k:/r:vm:True:/c:64MiB");
    assert.equal(name, "kata");
    assert.deepEqual(
      [
        handler.runtimePath,
        handler.runtimeRoot,
        handler.runtimeType,
        handler.runtimeConfigPath,
        handler.containerMinMemory,
      ],
      ["/k", "/r", "vm", "/c", "64MiB"],
    );
    assert.equal(handler.privilegedWithoutHostDevices, false); // only the literal "true"
  });
  for (const entry of ["", "a", "a:b", ":b:c", "a:b:c:d:e:f:g:h", "a:b:c:::: ", "a:b:c::::much"]) {
    it(`refuses ${JSON.stringify(entry)}`, () => assert.throws(() => parseRuntimesFlag(entry), { code: "invalid" }));
  }
});
