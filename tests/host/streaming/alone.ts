import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Client, credentials } from "@grpc/grpc-js";
import {
  ExecRequest,
  ExecResponse,
  PortForwardRequest,
  PortForwardResponse,
  VersionRequest,
  VersionResponse,
} from "../../../src/cri/generated/api.ts";

/** The fake CRI in a process of its own, whose descriptors, memory and children can be counted. */
export class Alone implements AsyncDisposable {
  readonly endpoint: string;
  readonly #pid: number;
  readonly #process: ChildProcess;
  readonly #client: Client;

  private constructor(endpoint: string, pid: number, process: ChildProcess) {
    this.endpoint = endpoint;
    this.#pid = pid;
    this.#process = process;
    this.#client = new Client(endpoint, credentials.createInsecure());
  }

  static async start(): Promise<Alone> {
    const script = fileURLToPath(new URL("serve-alone.ts", import.meta.url));
    const child = spawn(process.execPath, ["--max-semi-space-size=2", script], { stdio: ["pipe", "pipe", "inherit"] });
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    const { endpoint, pid } = JSON.parse(line);
    return new Alone(endpoint, pid, child);
  }

  async execUrl(request: Partial<ExecRequest>): Promise<string> {
    const message = ExecRequest.encode(ExecRequest.fromPartial({ containerId: "c1", ...request })).finish();
    return (await this.#call("Exec", message, ExecResponse.decode)).url;
  }

  async portForwardUrl(): Promise<string> {
    const message = PortForwardRequest.encode(PortForwardRequest.fromPartial({ podSandboxId: "p1" })).finish();
    return (await this.#call("PortForward", message, PortForwardResponse.decode)).url;
  }

  /** How long the socket takes to answer another call, in milliseconds. */
  async answerMs(): Promise<number> {
    const begun = performance.now();
    await this.#call("Version", VersionRequest.encode(VersionRequest.fromPartial({})).finish(), VersionResponse.decode);
    return performance.now() - begun;
  }

  get descriptors(): number {
    return readdirSync(`/proc/${this.#pid}/fd`).length;
  }

  get children(): number {
    return readFileSync(`/proc/${this.#pid}/task/${this.#pid}/children`, "utf8").split(" ").filter(Boolean).length;
  }

  /** Resident bytes, now and at most so far. */
  memory(): { readonly now: number; readonly peak: number } {
    const status = readFileSync(`/proc/${this.#pid}/status`, "utf8");
    const bytes = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
    return { now: bytes("VmRSS"), peak: bytes("VmHWM") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    this.#process.stdin?.end();
    await once(this.#process, "exit");
  }

  #call<T>(method: string, message: Uint8Array, decode: (bytes: Uint8Array) => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#client.makeUnaryRequest<Uint8Array, T>(
      `/runtime.v1.RuntimeService/${method}`,
      (bytes) => Buffer.from(bytes),
      (bytes) => decode(bytes),
      message,
      { deadline: Date.now() + 60_000 },
      (error, response) => (error === null && response !== undefined ? resolve(response) : reject(error)),
    );
    return promise;
  }
}
