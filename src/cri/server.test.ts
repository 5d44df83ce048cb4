import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { Fault, Operations, silentLogger } from "../base/index.ts";
import { ImageServiceDefinition, RuntimeServiceDefinition, VersionRequest, VersionResponse } from "./generated/api.ts";
import { CriServer, type CriServerOptions } from "./server.ts";
import { RpcFault } from "./status.ts";

const version = (overrides: Partial<VersionResponse> = {}) =>
  VersionResponse.fromPartial({ version: "0.1.0", ...overrides });

async function serve(options: Partial<CriServerOptions> = {}) {
  const dir = await mkdtemp(join(tmpdir(), "crio-cri-"));
  const path = join(dir, "crio.sock");
  const server = new CriServer({
    path,
    maxSendBytes: 1 << 20,
    maxReceiveBytes: 1 << 20,
    runtime: {},
    image: {},
    http: (_request, response) => void response.end("hello"),
    log: silentLogger,
    operations: new Operations(),
    ...options,
  });
  try {
    await server.start();
  } catch (error) {
    await rm(dir, { recursive: true });
    throw error;
  }
  const client = new Client(`unix:${path}`, credentials.createInsecure());
  return {
    path,
    client,
    async [Symbol.asyncDispose]() {
      client.close();
      await server.stop();
      await rm(dir, { recursive: true });
    },
  };
}

function call(client: Client, path: string, deadline = Date.now() + 5000): Promise<VersionResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<VersionResponse>();
  client.makeUnaryRequest(
    path,
    (message: VersionRequest) => Buffer.from(VersionRequest.encode(message).finish()),
    (bytes: Buffer) => VersionResponse.decode(bytes),
    { version: "" }, // no bytes at all, which is a message of any type
    { deadline },
    (error, response) => (error === null && response !== undefined ? resolve(response) : reject(error)),
  );
  return promise;
}

function failure(code: number, details: string | RegExp) {
  return (error: ServiceError) => {
    assert.equal(error.code, code);
    if (typeof details === "string") assert.equal(error.details, details);
    else assert.match(error.details, details);
    return true;
  };
}

describe("the CRI socket", () => {
  it("answers a call, and is for root and its group alone", async () => {
    await using served = await serve({ runtime: { version: async () => version({ runtimeName: "cri-o" }) } });
    assert.equal((await call(served.client, "/runtime.v1.RuntimeService/Version")).runtimeName, "cri-o");
    assert.equal((await stat(served.path)).mode & 0o777, 0o660);
  });

  it("says UNIMPLEMENTED, with its name, for each of the 43 calls that has no handler", async () => {
    await using served = await serve();
    const services = [RuntimeServiceDefinition, ImageServiceDefinition];
    const paths = services.flatMap((s) => Object.values(s.methods).map((m) => `/${s.fullName}/${m.name}`));
    assert.equal(paths.length, 43);
    for (const path of paths) {
      await assert.rejects(call(served.client, path), failure(status.UNIMPLEMENTED, `${path} is not implemented`));
    }
  });

  it("gives errors as Unknown with their text, and another code only where one was meant", async () => {
    let thrown: unknown;
    const throwing = async () => {
      throw thrown;
    };
    await using served = await serve({ runtime: { version: throwing } });
    const answer = () => call(served.client, "/runtime.v1.RuntimeService/Version");
    thrown = new Fault("not-found", "no pod 3f2a");
    await assert.rejects(answer(), failure(status.UNKNOWN, "no pod 3f2a"));
    thrown = new RpcFault(status.NOT_FOUND, "no pod 3f2a");
    await assert.rejects(answer(), failure(status.NOT_FOUND, "no pod 3f2a"));
    thrown = new Error(`two\nlines and \u0007${"x".repeat(20_000)}`);
    await assert.rejects(answer(), failure(status.UNKNOWN, /^two\nlines and �x+…$/));
  });

  it("aborts the handler's signal when the client's deadline passes", async () => {
    const reasons: unknown[] = [];
    const waiting = Promise.withResolvers<void>();
    await using served = await serve({
      runtime: {
        version: (_request, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => {
              reasons.push(signal.reason);
              reject(signal.reason);
              waiting.resolve();
            });
          }),
      },
    });
    const late = call(served.client, "/runtime.v1.RuntimeService/Version", Date.now() + 50);
    await assert.rejects(late, failure(status.DEADLINE_EXCEEDED, /./));
    await waiting.promise;
    assert.ok(reasons[0] instanceof Fault && ["deadline", "cancelled"].includes(reasons[0].code));
  });

  it("refuses a message over the limit", async () => {
    await using served = await serve({
      maxSendBytes: 1000,
      runtime: { version: async () => version({ version: "x".repeat(5000) }) },
    });
    const answer = call(served.client, "/runtime.v1.RuntimeService/Version");
    await assert.rejects(answer, failure(status.RESOURCE_EXHAUSTED, /larger|exceeds/i));
  });

  it("says why a request cannot be decoded, and never asks a handler", async () => {
    let asked = 0;
    const count = async () => {
      asked++;
      return version();
    };
    await using served = await serve({ runtime: { version: count } });
    const { promise, resolve } = Promise.withResolvers<ServiceError | null>();
    const bytes = (value: Buffer) => value;
    served.client.makeUnaryRequest("/runtime.v1.RuntimeService/Version", bytes, bytes, Buffer.of(0x0c), resolve);
    const error = await promise;
    assert.ok(error !== null && failure(status.INTERNAL, "the request cannot be decoded: wire type 4")(error));
    assert.equal(asked, 0);
  });

  it("serves HTTP/1 beside gRPC", async () => {
    await using served = await serve();
    const body = await new Promise<string>((resolve, reject) => {
      const get = request({ socketPath: served.path, path: "/info" }, (response) => {
        let text = "";
        response.on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => resolve(text));
      });
      get.on("error", reject).end();
    });
    assert.equal(body, "hello");
  });

  it("refuses to start beside a living daemon, and replaces a dead one's socket", async () => {
    await using served = await serve();
    const again = (path: string) => serve({ path });
    await assert.rejects(again(served.path), /already existing connection/);
    const dead = `${served.path}.dead`;
    await writeFile(dead, "");
    await using second = await again(dead);
    assert.ok((await stat(dead)).isSocket());
    assert.ok(second.path !== served.path);
  });
});
