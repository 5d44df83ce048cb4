import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { CreateContainerRequest, RunPodSandboxRequest } from "./generated/api.ts";
import { RpcFault } from "./status.ts";
import { checkRequest } from "./wire-check.ts";

const run = "/runtime.v1.RuntimeService/RunPodSandbox";
const create = "/runtime.v1.RuntimeService/CreateContainer";
const portForward = "/runtime.v1.RuntimeService/PortForward";

/** A field of length `value.length`. */
const field = (number: number, value: Uint8Array | string) => {
  const bytes = Buffer.from(value);
  const length: number[] = [];
  for (let rest = bytes.length; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      length.push(rest);
      break;
    }
    length.push((rest % 128) + 128);
  }
  return Buffer.concat([Buffer.of(number * 8 + 2), Buffer.from(length), bytes]);
};

const refusedWith = (code: number, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RpcFault);
  assert.equal(error.status, code, error.message);
  assert.match(error.message, words);
  return true;
};

describe("checkRequest", () => {
  it("takes what an encoder writes, and fields of a version to come", () => {
    const config = { metadata: { name: "web" }, labels: { ä: "ö", "": "" }, hostname: "h" };
    checkRequest(run, RunPodSandboxRequest.encode(RunPodSandboxRequest.fromPartial({ config })).finish());
    const envs = Array.from({ length: 10_000 }, (_, index) => ({ key: `K${index}`, value: Buffer.from([255, 0]) }));
    const request = CreateContainerRequest.fromPartial({
      config: { envs, linux: { securityContext: { supplementalGroups: [1n, 2n ** 63n - 1n, -1n] } } },
    });
    checkRequest(create, CreateContainerRequest.encode(request).finish());
    checkRequest(run, Buffer.concat([field(15, Buffer.of(0xff)), Buffer.of(14 * 8 + 1, 1, 2, 3, 4, 5, 6, 7, 8)]));
    checkRequest(run, Buffer.alloc(0));
  });

  it("refuses what is no message, wherever it is, as gRPC does: Internal", () => {
    const bad: readonly (readonly [string, Uint8Array, RegExp])[] = [
      ["a length beyond the end", Buffer.of(0x0a, 5, 1), /a length of 5 bytes where 1 are left/],
      ["a length beyond memory", Buffer.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f), /a length of 4294967295 bytes/],
      ["a number that does not end", Buffer.of(0x08, 0xff), /beyond the end/],
      ["a number of eleven bytes", Buffer.alloc(12, 0xff), /more than 64 bits/],
      ["a fixed number cut short", Buffer.of(0x09, 1, 2), /beyond the end/],
      ["field 0", Buffer.of(0, 0), /number 0/],
      ["wire type 7", Buffer.of(0x0f), /wire type 7/],
      ["the end of a group", Buffer.of(0x0c), /wire type 4/],
      ["a group", Buffer.of(0x0b, 0x0c), /wire type 3/],
    ];
    for (const [what, bytes, words] of bad) {
      assert.throws(() => checkRequest(run, bytes), refusedWith(status.INTERNAL, words), what);
      const inside = Buffer.concat([field(1, field(1, bytes)), field(2, "runc")]);
      assert.throws(() => checkRequest(run, inside), refusedWith(status.INTERNAL, words), `${what}, inside`);
    }
    const latin1 = field(1, field(6, Buffer.concat([field(1, "key"), field(2, Buffer.of(0xe9))])));
    assert.throws(() => checkRequest(run, latin1), refusedWith(status.INTERNAL, /not UTF-8/));
  });

  it("refuses more than any request has use for, before anything is made of it: InvalidArgument", () => {
    const refused = (words: RegExp) => refusedWith(status.INVALID_ARGUMENT, words);
    const name = field(1, field(1, field(1, Buffer.alloc(9 << 20, "a"))));
    assert.throws(() => checkRequest(run, name), refused(/bytes of text/));
    const mounts = field(2, Buffer.alloc(2 << 20, Buffer.of(7 * 8 + 2, 0)));
    assert.throws(() => checkRequest(create, mounts), refused(/more than 50000 messages/));
    assert.throws(() => checkRequest(portForward, field(2, Buffer.alloc(1 << 20))), refused(/fields/));
    assert.throws(() => checkRequest(portForward, Buffer.alloc(1 << 20, Buffer.of(16, 0))), refused(/fields/));
  });
});
