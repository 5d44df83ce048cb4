import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { listenForConsole } from "./console-socket.ts";
import { connectPackets } from "./packet-connection.ts";
import { notifyServiceManager } from "./service-notify.ts";
import { startProgram } from "./start-program.ts";
import { terminalOf } from "./terminal.ts";

const dir = mkdtempSync(join(tmpdir(), "host-sockets-"));
after(() => rmSync(dir, { recursive: true }));
const timeoutMs = 20_000;
const faulted = (code: Parameters<typeof isFault>[1], pattern: RegExp) => (error: unknown) => {
  assert.ok(isFault(error, code), `expected a Fault(${code}), got ${error}`);
  assert.match(error.message, pattern);
  return true;
};

/** A Python program beside us, which prints a line once it is ready. */
async function python(script: string, ...args: readonly string[]) {
  const program = await startProgram("/usr/bin/python3", ["-c", script, ...args], {
    stdio: ["null", "read", "inherit"],
  });
  const out = program.stdio[1];
  const chunks: Buffer[] = [];
  const ready = Promise.withResolvers<void>();
  out?.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    ready.resolve();
  });
  await ready.promise;
  return {
    async output() {
      await program.exited;
      out?.destroy();
      return Buffer.concat(chunks).toString();
    },
  };
}

describe("connectPackets", () => {
  it("keeps the boundaries of packets both ways and sees the end", async () => {
    const path = join(dir, "packets");
    const server = await python(
      `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1]); s.listen(1); print("ready", flush=True)
c, _ = s.accept()
for n in (1, 8193, 5, 30000): c.send(b"p" * n)
while True:
  p = c.recv(100000)
  if not p: break
  print(len(p), flush=True)
c.send(b"bye"); c.close()`,
      path,
    );
    const connection = await connectPackets(path, { maxPacketBytes: 8192, timeoutMs });
    await connection.send(Buffer.alloc(20_000));
    await connection.send(Buffer.from("x"));
    connection.finishSending();
    const sizes: number[] = [];
    for await (const packet of connection.packets) sizes.push(packet.length);
    assert.deepEqual(sizes, [1, 8193, 5, 30000, 3]);
    assert.equal(await server.output(), "ready\n8192\n8192\n3616\n1\n");
    connection.close();
  });

  it("says when nobody is there, and takes paths longer than an address", async () => {
    const deep = join(dir, "d".repeat(100), "e".repeat(100));
    mkdirSync(deep, { recursive: true });
    const options = { maxPacketBytes: 8192, timeoutMs };
    await assert.rejects(connectPackets(join(deep, "socket"), options), faulted("unavailable", /ENOENT/));
    const server = await python(
      `import os, socket, sys
os.chdir(sys.argv[1]); s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind("socket"); s.listen(1)
print("ready", flush=True); c, _ = s.accept(); c.send(b"hello")`,
      deep,
    );
    await using connection = await connectPackets(join(deep, "socket"), options);
    for await (const packet of connection.packets) assert.equal(packet.toString(), "hello");
    await server.output();
    await assert.rejects(connectPackets(join(deep, "socket"), options), faulted("unavailable", /ECONNREFUSED/));
  });
});

describe("a terminal from a runtime", () => {
  const sender = `import os, pty, socket, subprocess, sys, array
master, slave = pty.openpty()
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendmsg([b"/dev/pts/ptmx"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [master]))]); s.close()
os.close(master); print("sent", flush=True)
p = subprocess.Popen(["/bin/sh", "-c", "read x; stty size; echo got $x"], stdin=slave, stdout=slave, stderr=slave)
os.close(slave); p.wait()`;

  it("is received, written to, resized and read to its end", async () => {
    const path = join(dir, "console");
    using listening = listenForConsole(path);
    const [fd, runtime] = await Promise.all([listening.receive({ timeoutMs }), python(sender, path)]);
    const terminal = terminalOf(fd);
    terminal.resize({ rows: 33, columns: 99 });
    await terminal.write(Buffer.from("hello\n"));
    let text = "";
    for await (const chunk of terminal.output) text += chunk;
    assert.equal(text.replaceAll("\r", ""), "hello\n33 99\ngot hello\n");
    assert.equal(await runtime.output(), "sent\n");
    terminal.close();
    terminal.resize({ rows: 1, columns: 1 }); // too late, and harmless
    listening.close();
    assert.equal(existsSync(path), false);
  });

  it("is waited for until the deadline, and its message checked", async () => {
    using listening = listenForConsole(join(dir, "console-2"));
    await assert.rejects(listening.receive({ timeoutMs: 30 }), faulted("deadline", /waiting for a terminal/));
    const hangUp = `import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.send(b"no descriptor"); print("sent", flush=True)`;
    assert.throws(() => terminalOf(openSync("/etc/passwd", "r")), faulted("invalid", /not a terminal/));
    const other = await python(hangUp, listening.path);
    await assert.rejects(listening.receive({ timeoutMs }), faulted("corrupt", /no descriptor/));
    await other.output();
    assert.throws(() => listenForConsole(join(dir, "no-dir", "x")), faulted("failed", /ENOENT/));
  });
});

describe("notifyServiceManager", () => {
  it("sends a datagram where it was asked to, also to an abstract name", async () => {
    assert.equal(notifyServiceManager("READY=1", ""), false);
    for (const path of [join(dir, "notify"), `@crio-ts-test-${process.pid}`]) {
      const manager = await python(
        `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1].replace("@", chr(0))); print("ready", flush=True)
print(s.recv(1000).decode())`,
        path,
      );
      assert.equal(notifyServiceManager("READY=1\nSTATUS=fine", path), true);
      assert.equal(await manager.output(), "ready\nREADY=1\nSTATUS=fine\n");
    }
    assert.throws(() => notifyServiceManager("READY=1", join(dir, "nobody")), faulted("unavailable", /ENOENT/));
  });
});
