/**
 * The streaming server with real clients, in front of a backend that runs commands on this machine. Sizes and counts are for
 * every day; CRIO_TS_STREAMS=full (`npm run soak:streams`) makes them those of the goals: 1 GB, 10,000 sessions, 100,000 URLs.
 */
import assert from "node:assert/strict";
import { createHash, randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SpdyClient } from "../../src/streaming/testing/spdy-client.ts";
import { noCrictl } from "../support/daemon/crictl.ts";
import { Alone } from "./streaming/alone.ts";
import { crictlCommand, run, start, transports } from "./streaming/crictl-run.ts";

const isFull = process.env.CRIO_TS_STREAMS === "full";
const bulkBytes = isFull ? 1 << 30 : 64 << 20;
const vanishing = isFull ? 10_000 : 80;
const unusedUrls = isFull ? 100_000 : 1_200;
const timeout = isFull ? 1_800_000 : 120_000;

let alone: Alone;
before(async () => {
  alone = await Alone.start();
});
after(() => alone[Symbol.asyncDispose]());

const say = (text: string) => process.stdout.write(`   ${text}\n`);

for (const transport of transports) {
  const crictl = (verb: string, ...args: readonly string[]) => crictlCommand(alone.endpoint, verb, transport, ...args);

  describe(`crictl over ${transport}`, { skip: noCrictl, timeout }, () => {
    it("gets a command's output, errors and exit code", async () => {
      const done = await run(crictl("exec", "c1", "sh", "-c", "echo out; echo err >&2; exit 3"));
      assert.equal(done.stdout, "out\n");
      assert.match(done.stderr, /^err\n/);
      assert.match(done.stderr, /command terminated with exit code 3/);
      const fine = await run(crictl("exec", "c1", "echo", "hello"));
      assert.deepEqual([fine.code, fine.stdout], [0, "hello\n"]);
    });

    it("is told why a command does not run", async () => {
      const done = await run(crictl("exec", "c1", "/no/such/program"));
      assert.equal(done.code, 1);
      assert.match(done.stderr, /error executing command in container: spawn \/no\/such\/program ENOENT/);
    });

    it("passes input on, and its end", async () => {
      assert.equal((await run(crictl("exec", "-i", "c1", "cat"), "line one\nline two")).stdout, "line one\nline two");
      assert.equal((await run(crictl("attach", "-i", "c1"), "attached")).stdout, "attached");
    });

    it("has a terminal that changes its size", async () => {
      const exec = crictl("exec", "-i", "-t", "c1", "sh").join(" ");
      // script(1) makes the terminal; the shell inside gives it a size, and another one later.
      const shell = `stty rows 40 cols 100; (sleep 1; stty rows 50 cols 120 </dev/tty) & exec ${exec}`;
      const child = start(["script", "-qec", shell, "/dev/null"]);
      let seen = "";
      const shows = async (what: RegExp) => {
        for await (const bytes of child.stdout.iterator({ destroyOnReturn: false })) {
          seen += bytes;
          if (what.test(seen)) return;
        }
        assert.fail(`${what} was not in ${JSON.stringify(seen)}`);
      };
      await shows(/size 100x40/);
      child.stdin.write("typed");
      await shows(/typed/);
      await shows(/size 120x50/);
      child.stdin.write("exit 7\r");
      await shows(/exit code 7/);
      child.stdin.end();
      await once(child, "close");
    });

    it("forwards ports, many connections at once", async () => {
      await using pod = await startPod();
      const child = start(crictl("port-forward", "p1", `0:${pod.port}`));
      const port = await forwardedPort(child.stdout);
      const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => pod.ask(port, 300_000 + index)));
      for (const { sent, received } of answers) assert.equal(received, sent);
      child.kill("SIGINT");
      await once(child, "close");
    });

    it("is told when a port has nobody behind it", async () => {
      const child = start(crictl("port-forward", "p1", "0:1"));
      const stderr = child.stderr.toArray();
      const port = await forwardedPort(child.stdout);
      const socket = connect(port, "127.0.0.1").resume();
      await once(socket, "close");
      child.kill("SIGINT");
      await once(child, "close");
      assert.match(
        Buffer.concat(await stderr).toString(),
        /error forwarding port 1 to pod p1, uid : connect ECONNREFUSED/,
      );
    });

    it(`carries ${bulkBytes >> 20} MiB out and in, to the byte`, async () => {
      const expected = createHash("sha256");
      for (const piece of pattern(bulkBytes)) expected.update(piece);
      const digest = expected.digest("hex");
      const began = performance.now();

      const inward = start(crictl("exec", "-i", "c1", "sha256sum"));
      const said = inward.stdout.toArray();
      await pipeline(Readable.from(pattern(bulkBytes)), inward.stdin);
      assert.match(Buffer.concat(await said).toString(), new RegExp(`^${digest}`));
      const half = performance.now();

      const script = `process.argv[1]; ${patternSource}; (async () => { for (const piece of pattern(${bulkBytes})) if (!process.stdout.write(piece)) await new Promise((r) => process.stdout.once("drain", r)); })()`;
      const outward = start(crictl("exec", "c1", process.execPath, "-e", script));
      const actual = createHash("sha256");
      await pipeline(outward.stdout, actual);
      assert.equal(actual.digest("hex"), digest);
      const rate = (ms: number) => `${((bulkBytes / (1 << 20) / ms) * 1000).toFixed(0)} MB/s`;
      say(`${transport}: in ${rate(half - began)}, out ${rate(performance.now() - half)}, hashing included`);
    });
  });
}

describe("the streaming server under clients that misbehave", { timeout }, () => {
  it(`is as before after ${vanishing} sessions whose clients go away at any moment`, async () => {
    await someSession();
    const before = { descriptors: alone.descriptors, memory: alone.memory().now };
    let next = 0;
    let slowest = 0;
    const client = async () => {
      while (next++ < vanishing) await vanishingSession();
    };
    const watch = (async () => {
      while (next < vanishing) {
        slowest = Math.max(slowest, await alone.answerMs());
        await sleep(100);
      }
    })();
    await Promise.all([watch, ...Array.from({ length: 20 }, client)]);
    await eventually(() => alone.children === 0, "no command is left");
    await eventually(() => alone.descriptors <= before.descriptors, "no descriptor is left");
    const grown = (alone.memory().now - before.memory) >> 20;
    say(`after ${vanishing} sessions ${grown} MiB more are resident; other calls took up to ${slowest.toFixed(0)} ms`);
    assert.ok(grown < 150);
  });

  it("holds a fixed amount for each that does not read, and their commands wait", async () => {
    const before = alone.memory().now;
    const clients = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const client = await SpdyClient.connect(await alone.execUrl({ cmd: ["cat", "/dev/zero"], stdout: true }));
        await client.openCommand("stdout");
        client.socket.pause();
        return client;
      }),
    );
    await eventually(() => alone.children === 30, "all commands run");
    await sleep(1_000);
    const grown = alone.memory().now - before;
    say(`30 readers that do not read cost ${(grown / 30 / 1024).toFixed(0)} KiB each`);
    assert.ok(grown < 30 * (4 << 20), `${grown >> 20} MiB`);
    assert.ok((await alone.answerMs()) < 5_000);
    for (const client of clients) client.vanish();
    await eventually(() => alone.children === 0, "the commands are gone with their clients");
  });

  it(`holds no more than a thousand of ${unusedUrls} URLs that nobody uses`, async () => {
    const before = alone.memory().now;
    const began = performance.now();
    let given = 0;
    for (let asked = 0; asked < unusedUrls; asked += 50) {
      const round = await Promise.allSettled(
        Array.from({ length: 50 }, () => alone.execUrl({ cmd: ["x".repeat(500)], stdout: true })),
      );
      given += round.filter(({ status }) => status === "fulfilled").length;
    }
    const minutes = Math.ceil((performance.now() - began) / 60_000);
    assert.ok(given >= 900 && given <= 1000 * minutes, `${given} were given out`);
    assert.ok(alone.memory().now - before < 100 << 20);
  });
});

/** A session of any kind, left at any moment. */
async function vanishingSession(): Promise<void> {
  const kind = randomInt(4);
  const url = await alone.execUrl({ cmd: kind === 3 ? ["sleep", "60"] : ["cat"], stdin: true, stdout: true });
  const client = await SpdyClient.connect(url);
  if (kind === 0) return client.vanish();
  const { stdin, stdout, error } = await client.openCommand("stdin", "stdout");
  if (randomInt(2) === 0) await client.until(() => error?.replied === true);
  if (stdin && kind < 3) client.data(stdin, Buffer.alloc(randomInt(1, 300_000)), randomInt(2) === 0);
  if (kind === 2 && randomInt(2) === 0) {
    if (stdin) client.data(stdin, "", true);
    await Promise.race([stdout?.ended, client.closed]);
  }
  client.vanish();
}

async function someSession(): Promise<void> {
  const client = await SpdyClient.connect(await alone.execUrl({ cmd: ["true"], stdout: true }));
  const { error } = await client.openCommand("stdout");
  await error?.ended;
  await client.closed;
}

/** A program in a "pod" that answers with what it was sent. */
async function startPod() {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    /** Sends so many bytes through a port and says what came back, both as digests. */
    async ask(port: number, bytes: number) {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      const [sent, received] = [createHash("sha256"), createHash("sha256")];
      const writing = pipeline(
        Readable.from(pattern(bytes)).map((piece: Buffer) => {
          sent.update(piece);
          return piece;
        }),
        socket,
      );
      for await (const piece of socket) received.update(piece);
      await writing.catch(() => {});
      return { sent: sent.digest("hex"), received: received.digest("hex") };
    },
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

async function forwardedPort(stdout: Readable): Promise<number> {
  let text = "";
  for await (const bytes of stdout.iterator({ destroyOnReturn: false })) {
    text += bytes;
    const port = /127\.0\.0\.1:(\d+) ->/.exec(text)?.[1];
    if (port !== undefined) {
      stdout.resume();
      return Number(port);
    }
  }
  throw new Error(`no port was forwarded: ${text}`);
}

/** So many bytes that never repeat in a way that a lost or doubled piece could hide behind. */
function* pattern(bytes: number): Generator<Buffer> {
  let state = 1;
  for (let made = 0; made < bytes; made += 65_536) {
    const piece = Buffer.alloc(Math.min(65_536, bytes - made));
    for (let offset = 0; offset + 4 <= piece.length; offset += 4) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      piece.writeUInt32LE(state, offset);
    }
    yield piece;
  }
}
const patternSource = pattern.toString();

async function eventually(isSo: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 30_000;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`still not so after 30 s: ${what}`);
    await sleep(20);
  }
}
