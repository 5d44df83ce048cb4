/** The streaming options of crio.conf, as crictl meets them. */
import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connect, type PeerCertificate } from "node:tls";
import { testCertificate } from "../../src/registry/testing/certificate.ts";
import { noCrictl } from "../support/daemon/crictl.ts";
import { run, transports } from "./streaming/crictl-run.ts";
import { eventually, Scene } from "./streaming/scene.ts";

const names = ["localhost", "127.0.0.1"];

describe("[crio.api]'s streaming options", { skip: noCrictl, timeout: 120_000 }, () => {
  let scene: Scene;
  let dir: string;
  const certificates = {
    server: testCertificate(names),
    client: testCertificate(["client"]),
    stranger: testCertificate(["x"]),
  };
  const file = (name: string) => join(dir, name);

  before(async () => {
    dir = await mkdtemp("/run/streaming-tls-");
    for (const [name, { cert, key }] of Object.entries(certificates)) {
      await writeFile(file(`${name}.crt`), cert);
      await writeFile(file(`${name}.key`), key);
    }
    scene = await Scene.start({
      runtime: "crun",
      config: `[crio.api]
stream_enable_tls = true
stream_tls_cert = "${file("server.crt")}"
stream_tls_key = "${file("server.key")}"
stream_tls_ca = "${file("client.crt")}"
tls_min_version = "VersionTLS13"
stream_idle_timeout = "3s"
`,
    });
  });
  after(() => scene[Symbol.asyncDispose]());

  const tls = (client: "client" | "stranger") => [
    ...["--tls-ca", file("server.crt"), "--tls-cert", file(`${client}.crt`), "--tls-key", file(`${client}.key`)],
  ];

  for (const transport of transports) {
    const exec = (client: "client" | "stranger", ...command: readonly string[]) =>
      run([...scene.crictl.command("exec"), "--transport", transport, ...tls(client), scene.container, ...command]);

    it(`serves clients with a certificate of the given authority over TLS and ${transport}, and no others`, async () => {
      const done = await exec("client", "echo", "hello");
      assert.deepEqual([done.code, done.stdout, done.stderr], [0, "hello\n", ""]);
      const refused = await exec("stranger", "echo", "hello");
      assert.notEqual(refused.code, 0);
      assert.equal(refused.stdout, "");
    });
  }

  it("ends sessions in which nothing is said for as long as is set, and their commands", async () => {
    const command = (transport: string) => ["exec", "--transport", transport, ...tls("client"), scene.container];
    // The clients differ in what they say to this.
    await Promise.all(transports.map((each) => run([...scene.crictl.command(...command(each)), "sleep", "600"])));
    await eventually("the commands are gone", async () => scene.commands().length === 0);
  });

  it("speaks no older TLS than is set, and takes a renewed certificate without a restart", async () => {
    const { url } = await scene.cri.runtime.exec({ containerId: scene.container, cmd: ["true"], stdout: true });
    const port = Number(new URL(url).port);
    assert.equal(await peer(port, { maxVersion: "TLSv1.2" }), undefined);
    const first = await peer(port, {});
    const renewed = testCertificate(names);
    await writeFile(file("server.key"), renewed.key);
    await writeFile(file("server.crt"), renewed.cert);
    await eventually("the renewed one is shown", async () => {
      const now = await peer(port, {});
      return now !== undefined && now.fingerprint256 !== first?.fingerprint256;
    });
    const done = await run([...scene.crictl.command("exec"), ...tls("client"), scene.container, "echo", "again"]);
    assert.equal(done.stdout, "again\n");
  });

  /** The certificate that the server shows; undefined when it does not want to talk. */
  function peer(port: number, options: { readonly maxVersion?: "TLSv1.2" }): Promise<PeerCertificate | undefined> {
    return new Promise((resolve) => {
      const { cert, key } = certificates.client;
      const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, cert, key, ...options });
      socket.once("secureConnect", () => {
        resolve(socket.getPeerCertificate());
        socket.destroy();
      });
      socket.once("error", () => resolve(undefined));
    });
  }
});
