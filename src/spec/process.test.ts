import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { type CommandPlan, mergedEnv, parseUmask, processArgs, processCwd, processEnv } from "./process.ts";
import { testPlan } from "./test-plans.ts";

const image = { Entrypoint: ["/entry"], Cmd: ["a", "b"], Env: ["PATH=/image", "LANG=C"], WorkingDir: "" };
const plan: CommandPlan = { ...testPlan.command, image };

describe("processArgs", () => {
  for (const [command, args, expected] of [
    [[], [], ["/entry", "a", "b"]],
    [[], ["x"], ["/entry", "x"]],
    [["cmd"], [], ["cmd"]],
    [["cmd", "1"], ["x"], ["cmd", "1", "x"]],
  ] as const) {
    it(`is ${expected.join(" ")} for command [${command}] and args [${args}]`, () => {
      assert.deepEqual(processArgs({ command, args, image }), expected);
    });
  }

  it("takes Cmd alone, and needs something to run", () => {
    const bare = { ...image, Entrypoint: [] };
    assert.deepEqual(processArgs({ command: [], args: [], image: bare }), ["a", "b"]);
    assert.throws(
      () => processArgs({ command: [], args: [], image: { ...bare, Cmd: [] } }),
      (error) => isFault(error, "invalid") && error.message === "no command specified",
    );
  });
});

describe("processEnv", () => {
  it("has the image's variables in place of the template's", () => {
    assert.deepEqual(processEnv(plan, "h"), ["PATH=/image", "TERM=xterm", "HOSTNAME=h", "LANG=C"]);
  });

  it("has the request's, then those of the image that are not among them", () => {
    const env = [
      { key: "LANG", value: "de" },
      { key: "", value: "skipped" },
      { key: "A", value: "x=y" },
      { key: "LANG", value: "fr" },
    ];
    assert.deepEqual(processEnv({ ...plan, env }, "h"), [
      "PATH=/image",
      "TERM=xterm",
      "HOSTNAME=h",
      "LANG=fr",
      "A=x=y",
    ]);
  });

  it("lets the request say what the configuration and the hostname said", () => {
    const env = [{ key: "HOSTNAME", value: "own" }];
    const all = processEnv({ ...plan, env, defaultEnv: ["D=1", "LANG=x"], extraEnv: ["GOMAXPROCS=2", "A=b"] }, "h");
    assert.deepEqual(all, ["PATH=/image", "TERM=xterm", "HOSTNAME=own", "D=1", "LANG=C", "GOMAXPROCS=2", "A=b"]);
  });

  it("passes over the image's malformed entries once the request has variables", () => {
    const odd = { ...image, Env: ["NOVALUE", "=x", "B=1"] };
    const env = [{ key: "A", value: "1" }];
    assert.deepEqual(processEnv({ ...plan, image: odd, env }, "h").slice(3), ["A=1", "B=1"]);
    assert.deepEqual(processEnv({ ...plan, image: odd }, "h").slice(3), ["NOVALUE", "=x", "B=1"]);
  });

  it("keeps __proto__ a name like any other", () => {
    assert.deepEqual(mergedEnv(["__proto__=1", "__proto__=2"]), ["__proto__=2"]);
  });
});

describe("processCwd", () => {
  it("is the request's, the image's, or the root", () => {
    assert.equal(processCwd({ workingDir: "/w", image: { ...image, WorkingDir: "/i" } }), "/w");
    assert.equal(processCwd({ workingDir: "", image: { ...image, WorkingDir: "/i" } }), "/i");
    assert.equal(processCwd({ workingDir: "", image }), "/");
  });

  for (const workingDir of [
    "relative",
    "./x",
    "/proc/self/fd/7",
    "/proc/self/fd/7/../../..",
    "//proc//self//cwd",
    "/x/../proc/1/root",
    "/proc/thread-self/fd",
    "/proc/./self/root/",
    "/x/../proc/self/fd/7/../..",
    "/dev/fd/8",
    "/dev/stdin",
    "/a\0b",
  ]) {
    it(`refuses ${JSON.stringify(workingDir)}`, () => {
      assert.throws(
        () => processCwd({ workingDir, image }),
        (error) => isFault(error, "invalid"),
      );
    });
  }

  for (const workingDir of ["/proc", "/proc/sys/net", "/proc/self", "/dev/fdx", "/data/proc/self/fd"]) {
    it(`takes ${workingDir}`, () => assert.equal(processCwd({ workingDir, image }), workingDir));
  }
});

describe("parseUmask", () => {
  it("takes one to four octal digits", () => {
    assert.equal(parseUmask("022"), 0o22);
    assert.equal(parseUmask("0777"), 0o777);
    for (const text of ["", "8", "00022", "0o22", "-1", "22 "]) {
      assert.throws(
        () => parseUmask(text),
        (error) => isFault(error, "invalid") && error.message === `invalid umask string ${text}`,
      );
    }
  });
});
