/** A process that serves the fake CRI until its standard input ends. Its first line says where. */
import { startFakeCri } from "./fake-cri.ts";
import { localBackend } from "./local-backend.ts";

const backend = localBackend();
await using cri = await startFakeCri(backend, { probeMs: 200 });
process.stdout.write(`${JSON.stringify({ endpoint: cri.endpoint, pid: process.pid })}\n`);
await new Promise((resolve) => process.stdin.resume().once("end", resolve));
