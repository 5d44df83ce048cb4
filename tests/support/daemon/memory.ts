/** What a daemon keeps in memory once it has thrown away what it does not need. */
import { setTimeout as sleep } from "node:timers/promises";

export interface Memory {
  /** JavaScript objects, and what they hold outside of the heap. */
  readonly usedBytes: number;
  /** All of the process that is in memory. */
  readonly residentBytes: number;
}

const inspector = "http://127.0.0.1:9229";

/** Opens the inspector of a Node process (SIGUSR1) on this node's loopback, collects garbage, and measures. */
export async function memoryAfterCollection(pid: number): Promise<Memory> {
  process.kill(pid, "SIGUSR1");
  const socket = new WebSocket(await inspectorAddress());
  try {
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error(`the inspector of ${pid} does not answer`)));
    });
    // Twice: what finalizers let go of in the first can be collected in the second.
    await ask(socket, "HeapProfiler.collectGarbage");
    await ask(socket, "HeapProfiler.collectGarbage");
    const expression = "JSON.stringify(process.memoryUsage())";
    const { result } = (await ask(socket, "Runtime.evaluate", { expression })) as Evaluated;
    const { heapUsed, external, rss } = JSON.parse(result.value) as NodeJS.MemoryUsage; // of Node's own making
    return { usedBytes: heapUsed + external, residentBytes: rss };
  } finally {
    socket.close();
  }
}

interface Evaluated {
  readonly result: { readonly value: string };
}

async function inspectorAddress(): Promise<string> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const answer = await fetch(`${inspector}/json`).catch(() => undefined);
    const targets = (await answer?.json()) as readonly { readonly webSocketDebuggerUrl: string }[] | undefined;
    const address = targets?.[0]?.webSocketDebuggerUrl;
    if (address !== undefined) return address;
    if (Date.now() > deadline) throw new Error(`nobody answers on ${inspector}`);
    await sleep(50);
  }
}

let calls = 0;

function ask(socket: WebSocket, method: string, params: object = {}): Promise<unknown> {
  const id = ++calls;
  return new Promise((resolve, reject) => {
    const listen = ({ data }: MessageEvent) => {
      const message = JSON.parse(String(data));
      if (message.id !== id) return;
      socket.removeEventListener("message", listen);
      if (message.error === undefined) resolve(message.result);
      else reject(new Error(`${method}: ${message.error.message}`));
    };
    socket.addEventListener("message", listen);
    socket.addEventListener("close", () => reject(new Error(`${method}: the inspector has left`)));
    socket.send(JSON.stringify({ id, method, params }));
  });
}
