/** Sends back what comes, on a port of 127.0.0.1 and on one of ::1, until its standard input ends. Its first line says which. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

async function listen(host: string): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port; // listening on a port, it has one
}

process.stdout.write(`${JSON.stringify({ ipv4: await listen("127.0.0.1"), ipv6: await listen("::1") })}\n`);
await once(process.stdin.resume(), "end");
process.exit();
