/** Exec, attach and port-forward through the daemon by crictl, over both transports, with crun and with runc. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, before, describe, it } from "node:test";
import { SpdyClient } from "../../src/streaming/testing/spdy-client.ts";
import { noCrictl } from "../support/daemon/crictl.ts";
import { endOf, forwardedPort, run, start, transports } from "./streaming/crictl-run.ts";
import { isFull, say } from "./streaming/full.ts";
import { pattern, patternDigest } from "./streaming/pattern.ts";
import { type PodServer, startPodServer } from "./streaming/pod-server.ts";
import { eventually, Scene } from "./streaming/scene.ts";
import { TypedAt } from "./streaming/terminal.ts";

const bulkBytes = isFull ? 1 << 30 : 16 << 20;
const timeout = isFull ? 3_600_000 : 240_000;

for (const runtime of ["crun", "runc"] as const) {
  describe(`streaming with ${runtime}`, { skip: noCrictl, timeout }, () => {
    let scene: Scene;
    let server: PodServer;
    before(async () => {
      scene = await Scene.start({ runtime });
      server = await startPodServer(await scene.netns());
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
      await scene[Symbol.asyncDispose]();
    });

    for (const transport of transports) {
      const crictl = (verb: string, ...args: readonly string[]) => [
        ...scene.crictl.command(verb),
        ...["--transport", transport],
        ...args,
      ];

      it(`gives a command's output, errors and exit code over ${transport}`, async () => {
        const done = await run(crictl("exec", scene.container, "sh", "-c", "echo out; echo err >&2; exit 3"));
        assert.equal(done.stdout, "out\n");
        assert.match(done.stderr, /^err\n/);
        assert.match(done.stderr, /command terminated with exit code 3/);
        const fine = await run(crictl("exec", scene.container, "echo", "hello"));
        assert.deepEqual([fine.code, fine.stdout, fine.stderr], [0, "hello\n", ""]);
      });

      it(`says why a command does not run over ${transport}`, async () => {
        const done = await run(crictl("exec", scene.container, "/no/such/program"));
        assert.notEqual(done.code, 0);
        assert.match(done.stderr, /no\/such\/program/);
        const exec = crictl("exec", "-i", "-t", scene.container, "/no/such/program");
        await using typist = await TypedAt.start(exec, 24, 80);
        await typist.shows(/no\/such\/program/);
        await typist.ended();
        assert.deepEqual(scene.commands(), []);
      });

      it(`passes input on, and its end, over ${transport}`, async () => {
        const done = await run(crictl("exec", "-i", scene.container, "cat"), "line one\nline two");
        assert.equal(done.stdout, "line one\nline two");
      });

      it(`has a terminal that changes its size over ${transport}`, async () => {
        const script =
          'trap \'echo "size $(stty size)"\' WINCH; echo "begun $(tty)"; while :; do read -r line || continue; echo "got $line"; [ "$line" = leave ] && exit 7; done';
        const exec = crictl("exec", "-i", "-t", scene.container, "sh", "-c", script);
        await using shell = await TypedAt.start(exec, 40, 100);
        await shell.shows(/begun \/dev\/pts\/\d/);
        shell.resize(50, 120);
        await shell.shows(/size 50 120/);
        shell.type("typed\r");
        await shell.shows(/got typed/);
        shell.resize(24, 80);
        await shell.shows(/size 24 80/);
        shell.type("leave\r");
        await shell.shows(/exit code 7/);
        await shell.ended();
        const sized = crictl(
          "exec",
          "-i",
          "-t",
          scene.container,
          "sh",
          "-c",
          "until stty size 2>/dev/null | grep .; do :; done; read -r go",
        );
        await using first = await TypedAt.start(sized, 33, 77);
        await first.shows(/33 77/);
        first.type("go\r");
        await first.ended();
      });

      it(`attaches to a container's output from then on, and its input stays open, over ${transport}`, async () => {
        const id = await scene.run({
          name: `echo-${transport}`,
          command: ["sh", "-c", "echo before; while read -r line; do echo got $line; done; echo ended"],
          more: { stdin: true },
        });
        await eventually("it has begun", async () => (await scene.crictl.do("logs", id)).includes("before"));
        for (const word of ["one", "two"]) {
          const child = start(crictl("attach", "-i", id));
          const ended = endOf(child);
          child.stdin.write(`${word}\n`);
          await eventually("it answers", async () => (await scene.crictl.do("logs", id)).includes(`got ${word}`));
          child.stdin.end();
          const { code, stdout } = await ended;
          assert.deepEqual([code, stdout], [0, `got ${word}\n`], "not what came before");
        }
        assert.equal((await scene.crictl.json("inspect", id)).status.state, "CONTAINER_RUNNING");
        await scene.crictl.do("rm", "--force", id);
      });

      it(`ends the input of a container that takes it once over ${transport}`, async () => {
        const id = await scene.run({
          name: `once-${transport}`,
          command: ["sh", "-c", "cat; echo complaint >&2; exit 4"],
          more: { stdin: true, stdin_once: true },
        });
        const done = await run(crictl("attach", "-i", id), "all there is\n");
        assert.equal(done.stdout, "all there is\n");
        assert.match(done.stderr, /complaint/);
        await eventually("the container ends", async () => {
          const { status } = await scene.crictl.json("inspect", id);
          return status.state === "CONTAINER_EXITED" && status.exitCode === 4;
        });
        await scene.crictl.do("rm", id);
      });

      it(`attaches to a container's terminal and sizes it over ${transport}`, async () => {
        const id = await scene.run({ name: `tty-${transport}`, command: ["sh"], more: { stdin: true, tty: true } });
        await using typist = await TypedAt.start(crictl("attach", "-i", "-t", id), 41, 101);
        typist.type("until stty size 2>/dev/null | grep 41; do :; done\r");
        await typist.shows(/\n41 101/);
        typist.resize(51, 121);
        typist.type("until stty size | grep '51 121'; do :; done\r");
        await typist.shows(/\n51 121/);
        typist.type("exit 5\r");
        await typist.ended();
        await eventually("the container ends", async () => {
          const { status } = await scene.crictl.json("inspect", id);
          return status.state === "CONTAINER_EXITED" && status.exitCode === 5;
        });
        await scene.crictl.do("rm", id);
      });

      it(`forwards ports of IPv4 and IPv6, many connections at once, over ${transport}`, async () => {
        const { ipv4, ipv6 } = server.ports;
        for (const target of [ipv4, ipv6]) {
          const child = start(crictl("port-forward", scene.pod, `0:${target}`));
          const port = await forwardedPort(child.stdout);
          await Promise.all(Array.from({ length: 20 }, (_, index) => exchange(port, 300_000 + index)));
          child.kill("SIGINT");
          await once(child, "close");
        }
      });

      it(`says that a port has nobody behind it over ${transport}`, async () => {
        const child = start(crictl("port-forward", scene.pod, "0:1"));
        const stderr = child.stderr.toArray();
        const socket = connect(await forwardedPort(child.stdout), "127.0.0.1").resume();
        await once(socket, "close");
        child.kill("SIGINT");
        await once(child, "close");
        assert.match(
          Buffer.concat(await stderr).toString(),
          /error forwarding port 1 to pod [0-9a-f]{64}, uid : failed to connect to localhost:1 inside namespace .*ECONNREFUSED/,
        );
      });

      if (runtime === "crun") {
        it(`carries ${bulkBytes >> 20} MiB in and out over ${transport}, to the byte`, async () => {
          const digest = patternDigest(bulkBytes);
          const began = performance.now();
          const script = "tee /bulk | sha256sum";
          const inward = start(crictl("exec", "-i", scene.container, "sh", "-c", script));
          const said = endOf(inward);
          await pipeline(Readable.from(pattern(bulkBytes)), inward.stdin);
          assert.match((await said).stdout, new RegExp(`^${digest}`));
          const half = performance.now();
          const outward = start(crictl("exec", scene.container, "cat", "/bulk"));
          const actual = createHash("sha256");
          await pipeline(outward.stdout, actual);
          assert.equal(actual.digest("hex"), digest);
          const rate = (ms: number) => `${((bulkBytes / (1 << 20) / ms) * 1000).toFixed(0)} MB/s`;
          say(
            `${transport}: in ${rate(half - began)}, out ${rate(performance.now() - half)}, disk and hashing included`,
          );
          await scene.crictl.do("exec", "--sync", scene.container, "rm", "/bulk");
        });
      }
    }

    it("leaves a container's terminal by its keys, typed at once or one by one, and leaves the container running", async () => {
      const containerId = await scene.run({ name: "keys", command: ["sh"], more: { stdin: true, tty: true } });
      for (const keys of [["\x10\x11"], ["\x10", "\x11"], ["typed\x10\x11more"]]) {
        const request = { containerId, stdin: true, stdout: true, tty: true };
        const client = await SpdyClient.connect((await scene.cri.runtime.attach(request)).url);
        const { stdin, stdout, error, resize } = await client.openCommand("stdin", "stdout", "resize");
        assert.ok(stdin && stdout && error && resize);
        client.data(stdin, "echo begun $((40 + 2))\r");
        await client.until(() => /begun 42/.test(stdout.text()));
        for (const key of keys) client.data(stdin, key);
        await error.ended;
        assert.match(error.text(), /"status":"Success"/);
        await client.closed;
      }
      assert.equal((await scene.crictl.json("inspect", containerId)).status.state, "CONTAINER_RUNNING");
      await scene.crictl.do("rm", "--force", containerId);
    });

    if (runtime === "crun") {
      it("gives a client that reads slowly all that the command wrote before it ended", async () => {
        const bytes = 24 << 20;
        const { url } = await scene.cri.runtime.exec({
          containerId: scene.container,
          cmd: ["sh", "-c", `head -c ${bytes} /dev/zero`],
          stdout: true,
        });
        const client = await SpdyClient.connect(url);
        const { stdout, error } = await client.openCommand("stdout");
        client.socket.pause();
        await eventually("the command writes", async () => scene.commands().length > 0);
        // It ends with its last bytes in the pipe and in the daemon, which hold more than this together.
        const heldBack = 256 << 10;
        while (lengthOf(stdout?.chunks) < bytes - heldBack) {
          client.socket.resume();
          await once(client.socket, "data");
          client.socket.pause();
        }
        await eventually("the command ends", async () => scene.commands().length === 0);
        assert.ok(lengthOf(stdout?.chunks) < bytes, "there is more to come");
        // Much longer than the daemon waits for more of a command that has ended.
        await new Promise((resolve) => setTimeout(resolve, 2_500));
        client.socket.resume();
        await error?.ended;
        assert.equal(lengthOf(stdout?.chunks), bytes);
        assert.match(error?.text() ?? "", /"status":"Success"/);
        await client.closed;
      });
    }

    it("answers a command's end although a child of it keeps the output open", async () => {
      const { url } = await scene.cri.runtime.exec({
        containerId: scene.container,
        cmd: ["sh", "-c", "sleep 300 & echo $!"],
        stdout: true,
      });
      const client = await SpdyClient.connect(url);
      const { stdout, error } = await client.openCommand("stdout");
      await error?.ended;
      await client.closed;
      const child = /^\d+/.exec(stdout?.text() ?? "")?.[0];
      assert.deepEqual(scene.commands(), ["sleep 300"], "it goes on");
      await scene.crictl.do("exec", "--sync", scene.container, "sh", "-c", `kill ${child}`);
    });

    it("ends a command whose client goes away, with all that it started", async () => {
      for (const tty of [false, true]) {
        const { url } = await scene.cri.runtime.exec({
          containerId: scene.container,
          cmd: ["sh", "-c", "sleep 300 & sleep 301; echo never"],
          stdin: true,
          stdout: true,
          tty,
        });
        const client = await SpdyClient.connect(url);
        await client.openCommand("stdin", "stdout", ...(tty ? ["resize"] : []));
        await eventually("both run", async () => scene.commands().filter((each) => /^sleep/.test(each)).length === 2);
        client.vanish();
        await eventually("nothing is left", async () => scene.commands().length === 0);
      }
    });
  });
}

/** Sends bytes through a forwarded port to a server that sends them back, half-closes, and compares. */
async function exchange(port: number, bytes: number): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const [sent, received] = [createHash("sha256"), createHash("sha256")];
  const writing = pipeline(
    Readable.from(pattern(bytes)).map((piece: Buffer) => {
      sent.update(piece);
      return piece;
    }),
    socket,
    { end: true },
  );
  for await (const piece of socket) received.update(piece);
  await writing.catch(() => {});
  assert.equal(received.digest("hex"), sent.digest("hex"));
}

function lengthOf(chunks: readonly Buffer[] = []): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}
