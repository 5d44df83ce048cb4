import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { crio } from "./testing.ts";

const container = `{"name":"k8s_a","pid":42,"image":"busybox","image_ref":"ref","created_time":1769860800123456789,
"labels":{"app":"x"},"annotations":{"esc":"red\\u001b[31m"},"crio_annotations":{},"log_path":"/l","root":"/merged",
"sandbox":"s","ip_addresses":["10.0.0.1","fd00::1"]}`;

const answers: ReadonlyMap<string, string> = new Map([
  ["/config", "[crio]\nroot = 'x'\n"],
  ["/containers/abc", container],
  [
    "/info",
    `{"storage_driver":"overlay","storage_image":"","storage_root":"/r","cgroup_driver":"systemd",
"default_id_mappings":{"uids":[{"container_id":0,"host_id":1,"size":2}],"gids":[{"container_id":3,"host_id":4,"size":5}]}}`,
  ],
  ["/debug/goroutines", "goroutine 1\n"],
  ["/debug/heap", "HEAP"],
  ["/why", '{"text":"2 operations\\nrun pod \\u001b[31mred\\n","operations":[{},{}]}'],
  ["/why/abc", '{"text":"nothing is under way"}'],
]);

async function fakeDaemon(): Promise<{ readonly directory: string; readonly socket: string } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), "crio-status-"));
  const socket = join(directory, "crio.sock");
  const server = createServer((request, response) => {
    assert.equal(request.headers.host, "crio");
    const answer = answers.get(request.url ?? "");
    response.writeHead(answer === undefined ? 404 : 200).end(answer ?? "can't find the container with id x\n");
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    directory,
    socket,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

describe("crio status", () => {
  const printed: readonly (readonly [string, string])[] = [
    ["config", "[crio]\nroot = 'x'\n"],
    ["c", "[crio]\nroot = 'x'\n"],
    ["goroutines", "goroutine 1\n"],
    ["why", "2 operations\nrun pod \\x1b[31mred\n"],
    ["why abc", "nothing is under way\n"],
    ["why --json abc", '{"text":"nothing is under way"}\n'],
    [
      "info",
      `cgroup driver: systemd
storage driver: overlay
storage graph root: /r
storage image: 
default GID mappings (format <container>:<host>:<size>):
  3:4:5
default UID mappings (format <container>:<host>:<size>):
  0:1:2
`,
    ],
    [
      "containers --id abc",
      `name: k8s_a
pid: 42
image: busybox
image ref: ref
created: 1769860800123456789
labels:
  app: x
annotations:
  esc: red\\x1b[31m
CRI-O annotations:
log path: /l
graph root: /merged
sandbox: s
ips: 10.0.0.1, fd00::1
`,
    ],
  ];
  for (const [line, expected] of printed) {
    it(`prints ${line}`, async () => {
      await using daemon = await fakeDaemon();
      const { status, out, err } = await crio(["status", "--socket", daemon.socket, ...line.split(" ")]);
      assert.deepEqual([status, err], [0, ""]);
      assert.equal(out, expected);
    });
  }

  it("fails with the daemon's words for a container that is not there", async () => {
    await using daemon = await fakeDaemon();
    const { status, err } = await crio(["status", "-s", daemon.socket, "containers", "-i", "../../etc"]);
    assert.equal(status, 1);
    assert.match(err, /can't find the container with id x/);
  });

  it("fails with the daemon's words for what it does not answer, and writes no file", async () => {
    await using daemon = await fakeDaemon();
    const { status, err } = await crio(["status", "-s", daemon.socket, "why", "nobody"]);
    assert.equal(status, 1);
    assert.match(err, /crio answered \/why\/nobody with 404: /);
    assert.equal((await crio(["status", "-s", daemon.socket, "why", "a", "b"])).status, 1);
  });

  it("writes the heap to a file for its owner alone", async () => {
    await using daemon = await fakeDaemon();
    const file = join(daemon.directory, "heap.out");
    const { status, err } = await crio(["status", "-s", daemon.socket, "heap", "-f", file]);
    assert.equal(status, 0);
    assert.match(err, /Wrote heap dump to: .*heap\.out/);
    assert.equal(await readFile(file, "utf8"), "HEAP");
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  });

  it("says so when no daemon listens, no id is given or the path is too long for a socket", async () => {
    assert.match(
      (await crio(["status", "-s", "/no/such.sock", "info"])).err,
      /asking crio at \/no\/such\.sock: .*ENOENT/,
    );
    assert.match((await crio(["status", "containers"])).err, /a container id is needed/);
    const long = await crio(["status", "-s", `/${"x".repeat(120)}`, "info"]);
    assert.equal(long.status, 1);
    assert.match(long.err, /too long/);
  });
});
