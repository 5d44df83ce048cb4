import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../../base/index.ts";
import { type HookedContainer, hooksFor, parseHookFile } from "./index.ts";

const parse = (file: object) => parseHookFile(Buffer.from(JSON.stringify(file)));
const hook = { path: "/usr/bin/hook", args: ["hook", "now"], env: ["A=1"], timeout: 3 };
const current = (when: object, more: object = {}) =>
  parse({ version: "1.0.0", hook, when, stages: ["prestart"], ...more });
const older = (more: object) => parse({ hook: "/usr/bin/hook", stages: ["poststop"], ...more });
const container: HookedContainer = {
  annotations: { "io.example/trace": "yes", other: "no" },
  program: "/bin/sh",
  hasBindMounts: true,
};
const isFor = (rule: ReturnType<typeof parse>, more: Partial<HookedContainer> = {}) =>
  hooksFor([rule], { ...container, ...more }) !== undefined;

describe("a hook", () => {
  it("goes into the lists of its stages, prestart as createRuntime, each once and in order", () => {
    const always = current({ always: true }, { stages: ["prestart", "createRuntime", "poststop"] });
    const second = parse({ version: "1.0.0", hook: { path: "/b" }, when: { always: true }, stages: ["poststop"] });
    assert.deepEqual(hooksFor([always, second], container), {
      createRuntime: [hook],
      poststop: [hook, { path: "/b" }],
    });
  });

  it("is for containers that meet all its conditions", () => {
    assert.equal(isFor(current({})), false);
    assert.equal(isFor(current({ always: false, hasBindMounts: true })), false);
    assert.equal(isFor(current({ hasBindMounts: false })), false);
    assert.equal(isFor(current({ hasBindMounts: true })), true);
    assert.equal(isFor(current({ hasBindMounts: true }), { hasBindMounts: false }), false);
    assert.equal(isFor(current({ annotations: { "^io\\.example/": "^yes$" } })), true);
    assert.equal(isFor(current({ annotations: { "^io\\.example/": "^no$" } })), false);
    // The name that matches first has another value: the search goes on.
    assert.equal(isFor(current({ annotations: { ".": "^no$" } })), true);
    assert.equal(isFor(current({ annotations: { "^io\\.example/": "yes", missing: "." } })), false);
    assert.equal(isFor(current({ commands: ["/sh$"] })), true);
    assert.equal(isFor(current({ always: true, commands: ["/bash$"] })), false);
  });

  it("in an older file is for containers that meet one of them", () => {
    assert.equal(isFor(older({})), false);
    assert.equal(isFor(older({ hasbindmounts: true, cmds: ["/bash$"] })), true);
    assert.equal(isFor(older({ hasbindmounts: true, cmds: ["/sh$"] }), { hasBindMounts: false }), true);
    assert.equal(isFor(older({ annotations: ["^never$", "^yes$"] })), true);
    assert.equal(isFor(older({ annotation: "^never$", cmd: "/bash$" })), false);
    const rule = older({ arguments: ["--now"], stage: "poststop", stages: [], cmd: ["."] });
    assert.deepEqual(hooksFor([rule], container), {
      poststop: [{ path: "/usr/bin/hook", args: ["/usr/bin/hook", "--now"] }],
    });
  });

  it("is not guessed about when what decides is too long to be looked at", () => {
    const long = "a".repeat(5000);
    const tooLong = (error: unknown) => isFault(error, "invalid") && /5000 characters/.test(error.message);
    assert.throws(() => isFor(current({ commands: [".*/init$"] }), { program: long }), tooLong);
    const annotated = { annotations: { mine: long } };
    assert.throws(() => isFor(current({ annotations: { "^mine$": "^a" } }), annotated), tooLong);
    assert.equal(isFor(current({ annotations: { "^other$": "^a" } }), annotated), false);
  });

  it("is refused when it cannot be understood", () => {
    for (const bad of [
      () => parse({ version: "2.0.0" }),
      () => current({ commands: ["("] }),
      () => current({ annotations: { "[": "." } }),
      () => current({}, { stages: ["precreate"] }),
      () => current({}, { stages: ["constructor"] }),
      () => current({}, { stages: [] }),
      () => current({}, { hook: { path: "bin/hook" } }),
      () => current({}, { hook: { ...hook, timeout: -1 } }),
      () => current({ always: "yes" }),
      () => parseHookFile(Buffer.from("{")),
    ]) {
      assert.throws(bad, (error) => isFault(error, "invalid"));
    }
  });
});
