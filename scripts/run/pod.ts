import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { CriClient, ImageServiceDefinition, RuntimeServiceDefinition } from "./cri-client.ts";

const name = "hello";
const logTimeoutMs = 20_000;
/** Namespace modes of CRI. */
const ownPidNamespace = 1;
const script = `echo "hello from a container of crio-ts, on kernel $(uname -r)"
echo "eth0 has $(ip -4 -o address show eth0 | awk '{ print $4 }')"
trap 'exit 0' TERM
while :; do sleep 1000 & wait; done`;

const { methods: runtime } = RuntimeServiceDefinition;
const { methods: images } = ImageServiceDefinition;

/** The pod of `./run`. */
export class DemoPod {
  readonly image: string;
  readonly #client: CriClient;
  #id = "";

  readonly #logDirectory: string;

  constructor({ socket, registry, dir }: { readonly socket: string; readonly registry: string; readonly dir: string }) {
    this.#logDirectory = `${dir}/pods/${name}`;
    this.image = `${registry}/library/busybox:latest`;
    this.#client = new CriClient(socket);
  }

  async pull(): Promise<void> {
    await this.#client.call(ImageServiceDefinition, images.pullImage, { image: { image: this.image } });
  }

  /** Resolves with the pod's address and the first lines of the container's log. */
  async run(signal: AbortSignal): Promise<{ readonly ip: string; readonly log: string }> {
    const sandboxConfig = {
      metadata: { name, namespace: "crio-ts", uid: "1", attempt: 0 },
      logDirectory: this.#logDirectory,
      linux: { securityContext: { namespaceOptions: { pid: ownPidNamespace } } },
    };
    const pod = await this.#runtime(runtime.runPodSandbox, { config: sandboxConfig });
    this.#id = pod.podSandboxId;
    const container = await this.#runtime(runtime.createContainer, {
      podSandboxId: this.#id,
      sandboxConfig,
      config: {
        metadata: { name, attempt: 0 },
        image: { image: this.image, userSpecifiedImage: this.image },
        command: ["/bin/sh", "-c", script],
        logPath: `${name}.log`,
        linux: { securityContext: { namespaceOptions: { pid: ownPidNamespace } } },
      },
    });
    await this.#runtime(runtime.startContainer, { containerId: container.containerId });
    const { status } = await this.#runtime(runtime.podSandboxStatus, { podSandboxId: this.#id });
    return { ip: status?.network?.ip ?? "", log: await firstLines(`${this.#logDirectory}/${name}.log`, 2, signal) };
  }

  async remove(): Promise<void> {
    if (this.#id === "") return;
    await this.#runtime(runtime.stopPodSandbox, { podSandboxId: this.#id }, 5_000).catch(() => undefined); // removing it stops it too
    await this.#runtime(runtime.removePodSandbox, { podSandboxId: this.#id });
    await this.#client.call(ImageServiceDefinition, images.removeImage, { image: { image: this.image } });
  }

  close(): void {
    this.#client.close();
  }

  #runtime<Request, Response>(
    method: Parameters<typeof CriClient.prototype.call<Request, Response>>[1],
    request: object,
    timeoutMs?: number,
  ): Promise<Response> {
    return this.#client.call(RuntimeServiceDefinition, method, request, timeoutMs);
  }
}

/** The first `count` lines of a container's log, without what CRI puts before each. */
async function firstLines(path: string, count: number, signal: AbortSignal): Promise<string> {
  const deadline = Date.now() + logTimeoutMs;
  for (;;) {
    const lines = (await readFile(path, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
    if (lines.length >= count || Date.now() > deadline) {
      return lines.map((line) => line.split(" ").slice(3).join(" ")).join("\n");
    }
    await sleep(50, undefined, { signal });
  }
}
