/**
 * The daemon under many clients, and under bad ones. Counts are for every day; `npm run soak:streams` makes them those of the goals.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { after, before, describe, it } from "node:test";
import { flag } from "../../src/streaming/spdy/frame.ts";
import { type ClientSide, SpdyClient } from "../../src/streaming/testing/spdy-client.ts";
import { noCrictl } from "../support/daemon/crictl.ts";
import { abuses } from "./streaming/abuse.ts";
import { AnswerWatch } from "./streaming/answer-watch.ts";
import { isFull, say } from "./streaming/full.ts";
import { impatientSession } from "./streaming/impatient.ts";
import { type PodServer, startPodServer } from "./streaming/pod-server.ts";
import { eventually, type Holdings, Scene } from "./streaming/scene.ts";

const impatient = isFull ? 10_000 : 120;
const halfClosed = isFull ? 1_000 : 40;
const resizes = isFull ? 200_000 : 5_000;
const rounds = isFull ? 10 : 1;
const slowReaders = isFull ? 200 : 30;
const abusive = isFull ? 500 : 5;
const unusedUrls = isFull ? 100_000 : 1_200;
const atOnce = 200;
const mebibyte = 1 << 20;
const heapSway = 96 * mebibyte;

describe("the daemon's streaming", { skip: noCrictl, timeout: isFull ? 7_200_000 : 180_000 }, () => {
  let scene: Scene;
  let server: PodServer;
  let others: AnswerWatch;
  let attachable: string;
  let atFirst: Holdings;
  before(async () => {
    scene = await Scene.start({ runtime: "crun" });
    // Clients are on other machines, and take no time from the daemon.
    setPriority(constants.priority.PRIORITY_LOW);
    server = await startPodServer(await scene.netns());
    attachable = await scene.run({ name: "shell", command: ["sh"], more: { stdin: true, tty: true } });
    others = await AnswerWatch.start(scene.daemon.socket);
    // What is loaded and allocated once is not to count.
    for (let round = 0; round < 20; round++) await impatientSession({ scene, attachable, port: server.ports.ipv4 });
    await nothingRuns();
    atFirst = scene.holdings();
  });
  after(async () => {
    await scene.crictl.do("stop", "--timeout", "0", attachable);
    await others[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await scene[Symbol.asyncDispose]();
  });

  const nothingRuns = () =>
    eventually("no command is left", async () => scene.commands().filter((each) => each !== "sh").length === 0, 60_000);

  /** Does something to the daemon; then it holds as much as before. */
  async function leavesNothing(what: string, work: () => Promise<void>): Promise<void> {
    const before = scene.holdings();
    await others.during(what, work);
    await nothingRuns();
    await eventually("no socket is left", async () => scene.holdings().sockets <= before.sockets, 60_000);
    const most = Math.max(before.descriptors, atFirst.descriptors);
    await eventually("no descriptor is left", async () => scene.holdings().descriptors <= most, 60_000);
    await eventually("no child is left", async () => scene.holdings().children <= before.children, 60_000);
    // The heap is somewhere between these two, and comes down when garbage is collected, which those do who make some.
    await eventually(
      "memory is as at the beginning",
      async () => {
        await scene.cri.runtime.listContainers({});
        return scene.holdings().memory < atFirst.memory + heapSway;
      },
      60_000,
    );
    const after = scene.holdings();
    const [had, has] = [before, after].map(({ memory }) => Math.round(memory / mebibyte));
    const cpu = (after.cpuSeconds - before.cpuSeconds).toFixed(1);
    say(
      `${what}: ${had} MiB resident before, ${has} MiB after; ${before.descriptors} and ${after.descriptors} descriptors; ${cpu} s of CPU`,
    );
  }

  async function exec(cmd: readonly string[], more: object = {}): Promise<SpdyClient> {
    const request = { containerId: scene.container, cmd, stdin: true, stdout: true, ...more };
    return await SpdyClient.connect((await scene.cri.runtime.exec(request)).url);
  }

  it(`is as before after ${impatient} sessions whose clients go away at any moment`, async () => {
    await leavesNothing(`${impatient} impatient clients`, async () => {
      let left = impatient;
      const places = { scene, attachable, port: server.ports.ipv4 };
      const client = async () => {
        while (left-- > 0) await impatientSession(places);
      };
      await Promise.all(Array.from({ length: 20 }, client));
    });
  });

  it(`serves ${atOnce} sessions at once`, async () => {
    await leavesNothing(`${rounds} times ${atOnce} at once`, async () => {
      for (let round = 0; round < rounds; round++) {
        const sessions = await Promise.all(
          Array.from({ length: atOnce }, async (_, index) => {
            const client = await exec(["cat"]);
            const { stdin, stdout, error } = await openAll(client, "stdin", "stdout");
            client.data(stdin, `session ${index}\n`);
            await client.until(() => stdout.text() === `session ${index}\n`);
            return { client, stdin, error };
          }),
        );
        assert.equal(scene.commands().filter((each) => each === "cat").length, atOnce, "all of them run");
        await Promise.all(
          sessions.map(async ({ client, stdin, error }) => {
            client.data(stdin, "", true);
            await error.ended;
            assert.match(error.text(), /"status":"Success"/);
            await client.closed;
          }),
        );
      }
    });
  });

  it(`carries what comes after one side has ended, ${halfClosed} times`, async () => {
    const input = Buffer.alloc(200_000, "half");
    await leavesNothing(`${halfClosed} half-closed connections`, async () => {
      const { url } = await scene.cri.runtime.portForward({ podSandboxId: scene.pod });
      const client = await SpdyClient.connect(url, ["portforward.k8s.io"]);
      for (let done = 0; done < halfClosed; done += 20) {
        await Promise.all(
          Array.from({ length: 20 }, async (_, index) => {
            const headers = { port: String(server.ports.ipv4), requestid: String(done + index) };
            await client.open({ streamtype: "error", ...headers }, flag.fin); // as kubectl does
            const data = await client.open({ streamtype: "data", ...headers });
            client.data(data, input, true);
            await data.ended;
            assert.ok(Buffer.concat(data.chunks).equals(input));
          }),
        );
        const command = await exec(["sh", "-c", "cat >/dev/null; echo all read; exec cat /bin/busybox"]);
        const { stdin, stdout, error } = await openAll(command, "stdin", "stdout");
        command.data(stdin, input, true);
        await error.ended;
        assert.ok(Buffer.concat(stdout.chunks).length > 500_000, "output goes on after the end of input");
        await command.closed;
      }
      client.vanish();
    });
  });

  it(`takes ${resizes} sizes in one session, of which the last one stays`, async () => {
    await leavesNothing(`${resizes} resizes`, async () => {
      const client = await exec(["sh"], { tty: true });
      const { stdin, stdout, resize } = await openAll(client, "stdin", "stdout", "resize");
      for (let sent = 0; sent < resizes; sent++) {
        const size = { Width: 10 + (sent % 300), Height: 10 + (sent % 100) };
        if (!client.data(resize, JSON.stringify(size))) await once(client.socket, "drain");
      }
      client.data(resize, JSON.stringify({ Width: 121, Height: 51 }));
      await eventually("the last size is there", async () => {
        client.data(stdin, "stty size\r");
        return /51 121/.test(stdout.text());
      });
      client.vanish();
    });
  });

  it("holds a fixed amount for each client that does not read, and its command waits", async () => {
    await leavesNothing(`${slowReaders} clients that do not read`, async () => {
      const before = scene.holdings().memory;
      const clients = await Promise.all(
        Array.from({ length: slowReaders }, async () => {
          const client = await exec(["cat", "/dev/zero"]);
          await client.openCommand("stdin", "stdout");
          client.socket.pause();
          return client;
        }),
      );
      let written = -1n;
      await eventually("all commands wait", async () => {
        const last = written;
        const zeros = scene.pids("cat /dev/zero");
        written = zeros.reduce((sum, pid) => sum + bytesWritten(pid), 0n);
        return zeros.length === slowReaders && written === last;
      });
      const each = (scene.holdings().memory - before) / slowReaders / 1024;
      say(`${slowReaders} clients that do not read cost ${each.toFixed(0)} KiB each`);
      assert.ok(each < 3 << 10, `${each} KiB each`);
      for (const client of clients) client.vanish();
    });
  });

  for (const [name, abuse] of abuses) {
    it(`is none the worse for ${name}`, async () => {
      await leavesNothing(`${abusive} times ${name}`, async () => {
        let left = abusive;
        const client = async () => {
          while (left-- > 0) await abuse(scene);
        };
        await Promise.all(Array.from({ length: 5 }, client));
      });
    });
  }

  // The last one: it takes all the URLs that there are for a minute.
  it(`holds no more than a thousand of ${unusedUrls} URLs that nobody uses`, async () => {
    await leavesNothing(`${unusedUrls} unused URLs`, async () => {
      const began = performance.now();
      const request = { containerId: scene.container, cmd: ["x".repeat(500)], stdout: true };
      let given = 0;
      for (let asked = 0; asked < unusedUrls; asked += 50) {
        const round = await Promise.allSettled(Array.from({ length: 50 }, () => scene.cri.runtime.exec(request)));
        const refused = round.flatMap((each) => (each.status === "rejected" ? [String(each.reason)] : []));
        for (const reason of refused) assert.match(reason, /RESOURCE_EXHAUSTED.*maximum number of in-flight requests/);
        given += round.length - refused.length;
      }
      const minutes = Math.ceil((performance.now() - began) / 60_000);
      assert.ok(given >= 900 && given <= 1000 * minutes, `${given} were given out in ${minutes} minutes`);
    });
  });
});

/** A command's streams, which are there: whoever reads one that was not opened fails. */
async function openAll<T extends string>(client: SpdyClient, ...types: readonly T[]) {
  return (await client.openCommand(...types)) as Record<T | "error", ClientSide>; // one for each type that was asked for
}

/** What a process has written so far; nothing once it has ended. */
function bytesWritten(pid: number): bigint {
  try {
    return BigInt(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0n;
  }
}
