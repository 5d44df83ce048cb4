import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { Fault, isFault } from "../base/index.ts";
import { sizeFromJson, TerminalSizes } from "./resize.ts";
import { statusOfExit, statusOfFailure, statusText } from "./status.ts";
import { execRequest } from "./testing/serve.ts";
import { checkAttach, checkExec, checkPortForward } from "./validate.ts";

const invalid = (text: string) => (error: unknown) => isFault(error, "invalid") && error.message === text;

describe("requests that cannot be served", () => {
  it("are refused in the kubelet's words", () => {
    const request = execRequest("stdout");
    assert.throws(() => checkExec({ ...request, containerId: "" }), invalid("missing required container_id"));
    assert.throws(() => checkExec(execRequest("tty stderr")), invalid("tty and stderr cannot both be true"));
    assert.throws(() => checkExec(execRequest("")), invalid("one of stdin, stdout, or stderr must be set"));
    assert.throws(() => checkAttach(execRequest("")), invalid("one of stdin, stdout, and stderr must be set"));
    assert.throws(() => checkPortForward({ podId: "" }), invalid("missing required pod_sandbox_id"));
    checkExec(execRequest("tty stdin stdout"));
    checkPortForward({ podId: "p", ports: [80, 65_535] });
  });

  it("include commands and ports that no kernel knows", () => {
    assert.throws(() => checkExec(execRequest("stdout", ["x".repeat(3 << 20)])), /no kernel starts/);
    for (const port of [0, -1, 65_536, 1.5])
      assert.throws(() => checkPortForward({ podId: "p", ports: [port] }), /1 to 65535/);
  });
});

describe("the status of a session", () => {
  it("is the Kubernetes object for clients that know it", () => {
    assert.equal(statusText(statusOfExit(0), "json"), '{"metadata":{},"status":"Success"}');
    assert.deepEqual(JSON.parse(statusText(statusOfExit(3), "json")), {
      metadata: {},
      status: "Failure",
      message: "command terminated with non-zero exit code: exit status 3",
      reason: "NonZeroExitCode",
      details: { causes: [{ reason: "ExitCode", message: "3" }] },
    });
    const failure = statusOfFailure("error executing command in container", new Fault("not-found", "no container c1"));
    assert.deepEqual(failure, {
      metadata: {},
      status: "Failure",
      message: "Internal error occurred: error executing command in container: no container c1",
      reason: "InternalError",
      code: 500,
    });
  });

  it("is a sentence, or nothing, for older ones", () => {
    assert.equal(statusText(statusOfExit(0), "text"), "");
    assert.equal(statusText(statusOfExit(3), "text"), "command terminated with non-zero exit code: exit status 3");
  });
});

describe("terminal sizes", () => {
  const collect = async (...pieces: readonly string[]) => {
    const source = new PassThrough();
    const sizes = new TerminalSizes(source, new AbortController().signal);
    for (const piece of pieces) source.write(piece);
    source.end();
    const seen: string[] = [];
    for await (const { width, height } of sizes) seen.push(`${width}x${height}`);
    return seen;
  };

  it("are read from JSON in any pieces", async () => {
    assert.deepEqual(await collect('{"Width":80,"Hei', 'ght":24}\n'), ["80x24"]);
    assert.deepEqual(sizeFromJson('{"width":1,"HEIGHT":2}'), { width: 1, height: 2 });
    assert.deepEqual(sizeFromJson('{"Width":1}'), { width: 1, height: 0 });
  });

  it("that come faster than they are taken leave the latest", async () => {
    const storm = Array.from({ length: 10_000 }, (_, index) => `{"Width":${index % 1000},"Height":1}`);
    assert.deepEqual(await collect(...storm), ["999x1"]);
  });

  it("end at what is no size, and never hold up the client", async () => {
    for (const wrong of [
      '{"Width":-1}',
      '{"Width":65536}',
      '{"Width":1.5}',
      "[]}",
      "x".repeat(2000),
      '{"Width":"1"}',
    ]) {
      assert.deepEqual(await collect(wrong, "y".repeat(100_000)), [], wrong.slice(0, 20));
    }
    assert.equal(sizeFromJson("null"), undefined);
  });

  it("end with the session", async () => {
    const session = new AbortController();
    const sizes = new TerminalSizes(new PassThrough(), session.signal);
    setImmediate(() => session.abort());
    for await (const _ of sizes) assert.fail("there was none");
  });
});
