import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Logger, silentLogger } from "../../../src/base/index.ts";
import { CriServer } from "../../../src/cri/index.ts";
import {
  createStreamingServer,
  type StreamingBackend,
  type StreamingServerOptions,
} from "../../../src/streaming/index.ts";

/** A CRI socket that knows exec, attach and port-forward alone, and the streaming server behind it. */
export interface FakeCri extends AsyncDisposable {
  /** The endpoint for crictl. */
  readonly endpoint: string;
  readonly baseUrl: string;
}

export async function startFakeCri(
  backend: StreamingBackend,
  options: Partial<StreamingServerOptions> & { readonly log?: Logger } = {},
): Promise<FakeCri> {
  const dir = await mkdtemp(join(tmpdir(), "crio-streaming-"));
  const path = join(dir, "crio.sock");
  const { log = silentLogger } = options;
  const streaming = createStreamingServer({ address: "127.0.0.1", port: 0, backend, log, ...options });
  await streaming.start();
  const cri = new CriServer({
    path,
    maxSendBytes: 16 << 20,
    maxReceiveBytes: 16 << 20,
    runtime: {
      version: async () => ({ version: "0.1.0", runtimeName: "fake", runtimeVersion: "0", runtimeApiVersion: "v1" }),
      exec: async ({ containerId, cmd, tty, stdin, stdout, stderr }) => ({
        url: streaming.execUrl({ containerId, command: cmd, tty, stdin, stdout, stderr }),
      }),
      attach: async (request) => ({ url: streaming.attachUrl(request) }),
      portForward: async ({ podSandboxId, port }) => ({
        url: streaming.portForwardUrl({ podId: podSandboxId, ports: port }),
      }),
    },
    // crictl asks for these two before it does what it was told.
    image: { imageFsInfo: async () => ({ imageFilesystems: [], containerFilesystems: [] }) },
    http: (_request, response) => void response.end(),
    log,
  });
  await cri.start();
  return {
    endpoint: `unix://${path}`,
    baseUrl: streaming.baseUrl,
    async [Symbol.asyncDispose]() {
      await Promise.all([streaming.stop(), cri.stop()]);
      await rm(dir, { recursive: true });
    },
  };
}
