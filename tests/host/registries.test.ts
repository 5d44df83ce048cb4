/** registries.conf, certs.d and auth files obeyed towards Debian's docker-registry (reference: config.md, cri.md 9.1). */
import assert from "node:assert/strict";
import { chmod, copyFile, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { CriError } from "../support/daemon/cri.ts";
import { eventually } from "../support/daemon/crictl.ts";
import { digestOf, fixtureNames } from "../support/fixtures/index.ts";
import { mustRun } from "../support/programs.ts";
import { createCertificates, type DockerRegistry, startDockerRegistry } from "../support/registry/index.ts";
import { openScene, type Scene } from "./bad-input/scene.ts";

const dropIn = "/etc/containers/registries.conf.d/50-test.conf";
const authFile = "/run/containers/0/auth.json";
const keys = "/run/registries-keys";
const open = "127.0.0.1:5101";
const mirror = "127.0.0.1:5102";
const guarded = "127.0.0.1:5103";
const certified = "127.0.0.1:5104";
/** Nobody listens. */
const closed = "127.0.0.1:5199";
const secret = "p4ss-c4n4ry";
/** Its bcrypt hash, as htpasswd(1) would write it. */
const secretHash = "$2b$05$okyHqITKszlAkTeyEOQyaeNNL4bGqAGTaXgi8usf9PwqtGKiPfNmG";
const source = fixtureNames.configured;

describe("registries of the containers/* files", () => {
  let scene: Scene;
  let registry: DockerRegistry;
  let other: DockerRegistry;
  const stops: AsyncDisposable[] = [];
  before(async () => {
    await mkdir("/run/containers/0", { recursive: true });
    await makeKeys();
    registry = await startDockerRegistry({ port: 5101 });
    other = await startDockerRegistry({ port: 5102 });
    stops.push(registry, other);
    await registry.take(source, "real/place/app:1");
    await other.take(source, "copies/app:1");
    scene = await openScene({ config: "[crio.image]\nauto_reload_registries = true\n" });
    stops.push(scene);
  });
  after(async () => {
    await rm(dropIn, { force: true });
    for (const each of stops.toReversed()) await each[Symbol.asyncDispose]();
  });

  /** Writes a drop-in, and waits until the daemon obeys it: it does so by itself. */
  const configure = async (text: string) => {
    const applied = async () => (await scene.daemon.log()).split("Applied new registry configuration").length;
    const had = await applied();
    await put(`${text}\n# ${had}\n`);
    await eventually("the new registries are obeyed", async () => (await applied()) > had);
  };
  const pull = async (image: string, auth?: { username: string; password: string }) => {
    const { imageRef } = await scene.cri.image.pullImage({ image: { image }, ...(auth === undefined ? {} : { auth }) });
    const { image: found } = await scene.cri.image.imageStatus({ image: { image: imageRef } });
    await scene.cri.image.removeImage({ image: { image: imageRef } });
    return found;
  };
  const refusal = async (...args: Parameters<typeof pull>): Promise<string> => {
    const error = await pull(...args).then(
      () => assert.fail(`${args[0]} was pulled`),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof CriError, String(error));
    return error.details;
  };

  it("rewrite a prefix to a location; the image keeps the name that it was asked for by", async () => {
    await configure(`[[registry]]\nprefix = "example.test/team"\nlocation = "${open}/real/place"\ninsecure = true`);
    const found = await pull("example.test/team/app:1");
    assert.deepEqual(found?.repoTags, ["example.test/team/app:1"]);
    const asked = registry.takeRequests();
    assert.ok(asked.includes("/v2/real/place/app/manifests/1"), asked.join(" "));
  });

  it("take the longest prefix, and a wildcard for hosts below a domain", async () => {
    await configure(`
[[registry]]
prefix = "*.wild.test"
location = "${closed}"
insecure = true
[[registry]]
prefix = "a.wild.test/team"
location = "${open}/real/place"
insecure = true
[[registry]]
prefix = "*.deep.wild.test"
location = "${open}/real/place"
insecure = true`);
    await pull("a.wild.test/team/app:1");
    await pull("b.deep.wild.test/app:1");
    assert.match(await refusal("b.wild.test/app:1"), new RegExp(`^RegistryUnavailable: .*${closed}`));
  });

  it("ask mirrors in order, then the registry; the error of all names each with its answer", async () => {
    const rule = (location: string, mirrors: string) => `
[[registry]]
prefix = "example.test/team"
location = "${location}"
insecure = true
${mirrors}`;
    const at = (location: string) => `[[registry.mirror]]\nlocation = "${location}"\ninsecure = true\n`;
    await configure(rule(`${open}/real/place`, at(`${closed}/x`) + at(`${mirror}/copies`)));
    other.takeRequests();
    registry.takeRequests();
    await pull("example.test/team/app:1");
    assert.ok(other.takeRequests().includes("/v2/copies/app/manifests/1"));
    assert.deepEqual(registry.takeRequests(), [], "the mirror had it all");
    await configure(rule(`${open}/real/place`, at(`${mirror}/not-here`)));
    await pull("example.test/team/app:1");
    await configure(rule(`${open}/nor-here`, at(`${closed}/x`) + at(`${mirror}/not-here`)));
    const details = await refusal("example.test/team/app:1");
    assert.match(details, new RegExp(`${open}/nor-here/app:1: .*\\(status 404\\)`));
    assert.match(details, new RegExp(`mirrors failed before: \\[${closed}/x/app:1: .*connection refused`));
    assert.match(details, new RegExp(`\\[${mirror}/not-here/app:1: .*\\(status 404\\)`));
  });

  it("ask a mirror for digests or for tags alone, where it says so", async () => {
    const digest = await mustRun([
      "skopeo",
      "inspect",
      "--raw",
      "--tls-verify=false",
      `docker://${mirror}/copies/app:1`,
    ]);
    const byDigest = `example.test/team/app@${digestOf(Buffer.from(digest.stdout))}`;
    const rule = (more: string) => `
[[registry]]
prefix = "example.test/team"
location = "${closed}/x"
insecure = true
${more}`;
    const place = `[[registry.mirror]]\nlocation = "${mirror}/copies"\ninsecure = true\n`;
    for (const digestsOnly of [
      rule(`mirror-by-digest-only = true\n${place}`),
      rule(`${place}pull-from-mirror = "digest-only"`),
    ]) {
      await configure(digestsOnly);
      await pull(byDigest);
      assert.match(await refusal("example.test/team/app:1"), new RegExp(closed));
    }
    await configure(rule(`${place}pull-from-mirror = "tag-only"`));
    await pull("example.test/team/app:1");
    assert.match(await refusal(byDigest), new RegExp(closed));
  });

  it("refuse what is blocked, and what has no TLS unless it may", async () => {
    await configure(`[[registry]]\nlocation = "${open}"\nblocked = true\ninsecure = true`);
    assert.match(await refusal(`${open}/real/place/app:1`), /blocked/);
    await configure("");
    assert.match(await refusal(`${open}/real/place/app:1`), /insecure = true in registries\.conf/);
    await configure(`[[registry]]\nlocation = "${open}"\ninsecure = true`);
    await pull(`${open}/real/place/app:1`);
  });

  it("find short names by alias, and by search where that is not ambiguous", async () => {
    const insecure = [open, mirror].map((host) => `[[registry]]\nlocation = "${host}"\ninsecure = true\n`).join("");
    await configure(`unqualified-search-registries = ["${open}/real/place"]\n${insecure}`);
    assert.deepEqual((await pull("app:1"))?.repoTags, [`${open}/real/place/app:1`]);
    await configure(`unqualified-search-registries = ["${closed}", "${mirror}/copies"]\n${insecure}`);
    assert.match(await refusal("app:1"), /short name mode is enforcing/i);
    await configure(
      `unqualified-search-registries = ["${closed}", "${closed}"]\n${insecure}[aliases]\n"app" = "${mirror}/copies/app"`,
    );
    assert.deepEqual((await pull("app:1"))?.repoTags, [`${mirror}/copies/app:1`]);
  });

  it("keep the configuration in force when a file is broken, and say so", async () => {
    await configure(`[[registry]]\nlocation = "${open}"\ninsecure = true`);
    await put("[[registry]\n");
    await eventually("the log tells", async () =>
      (await scene.daemon.log()).includes("system registries reload failed"),
    );
    await pull(`${open}/real/place/app:1`);
    await configure("");
  });

  describe("with credentials", () => {
    let locked: DockerRegistry;
    before(async () => {
      await writeFile(`${keys}/htpasswd`, `somebody:${secretHash}\n`);
      locked = await startDockerRegistry({ port: 5103, htpasswd: `${keys}/htpasswd` });
      stops.push(locked);
      await locked.take(source, "private/app:1", ["--dest-creds", `somebody:${secret}`]);
      await configure(`[[registry]]\nlocation = "${guarded}"\ninsecure = true`);
    });
    const image = `${guarded}/private/app:1`;
    const auth = (password: string) => ({ auth: Buffer.from(`somebody:${password}`).toString("base64") });

    it("take those of the request before those of auth.json, and a refusal says which were shown", async () => {
      assert.match(await refusal(image), /status 401\).*no credentials for 127\.0\.0\.1:5103 were given/);
      await pull(image, { username: "somebody", password: secret });
      await writeFile(authFile, JSON.stringify({ auths: { [guarded]: auth(secret) } }));
      await pull(image);
      const wrong = await refusal(image, { username: "somebody", password: "wrong-password" });
      assert.match(wrong, /status 401\).*it was shown the credentials of the pull request$/);
      await writeFile(authFile, JSON.stringify({ auths: { [guarded]: auth("wrong-password") } }));
      assert.match(await refusal(image), /credentials of the auth file \/run\/containers\/0\/auth\.json$/);
      await rm(authFile);
    });

    it("ask a credential helper, of auth.json or of registries.conf", async () => {
      const helper = "/usr/local/bin/docker-credential-fortest";
      await writeFile(helper, `#!/bin/sh\nread -r host\necho '{"Username":"somebody","Secret":"${secret}"}'\n`);
      await chmod(helper, 0o755);
      await writeFile(authFile, JSON.stringify({ credHelpers: { [guarded]: "fortest" } }));
      await pull(image);
      await rm(authFile);
      await configure(`credential-helpers = ["fortest"]\n[[registry]]\nlocation = "${guarded}"\ninsecure = true`);
      await pull(image);
      await writeFile(helper, "#!/bin/sh\necho no such luck >&2\nexit 1\n");
      assert.match(
        await refusal(image),
        /credential helper docker-credential-fortest about 127\.0\.0\.1:5103: .*no such luck/,
      );
      await configure(`[[registry]]\nlocation = "${guarded}"\ninsecure = true`);
      await rm(helper);
    });

    it("tell them to nobody", async () => {
      const log = await scene.daemon.log();
      for (const trace of [secret, "wrong-password", auth(secret).auth]) assert.ok(!log.includes(trace));
    });
  });

  it("show a client certificate of certs.d to the registry that wants one", async () => {
    await using strict = await startDockerRegistry({
      port: 5104,
      tls: { certificate: `${keys}/server.crt`, key: `${keys}/server.key`, clientAuthority: `${keys}/ca.crt` },
    });
    const certs = `/etc/containers/certs.d/${certified}`;
    await mkdir(certs, { recursive: true });
    await copyFile(`${keys}/ca.crt`, `${certs}/ca.crt`);
    await copyFile(`${keys}/client.crt`, `${certs}/client.cert`);
    await copyFile(`${keys}/client.key`, `${certs}/client.key`);
    await strict.take(source, "strict/app:1", ["--dest-cert-dir", certs]);
    await pull(`${certified}/strict/app:1`);
    await rm(`${certs}/client.cert`);
    assert.match(await refusal(`${certified}/strict/app:1`), /missing client certificate client\.cert for client\.key/);
    await rm(`${certs}/client.key`);
    assert.match(await refusal(`${certified}/strict/app:1`), new RegExp(`https://${certified}/v2/strict/app`));
    await rm(certs, { recursive: true });
    assert.match(await refusal(`${certified}/strict/app:1`), /put its CA into certs\.d/);
  });
});

/** In one step: half a file must not be taken for the whole. */
async function put(text: string): Promise<void> {
  await writeFile(`${dropIn}.new`, text);
  await rename(`${dropIn}.new`, dropIn);
}

/** An authority of the test's own, with a certificate for 127.0.0.1 and one for a client. */
async function makeKeys(): Promise<void> {
  await createCertificates(keys, ["localhost"]);
  const at = (file: string) => `${keys}/${file}`;
  const request = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=client"];
  await mustRun(["openssl", "req", ...request, "-keyout", at("client.key"), "-out", at("client.csr")]);
  const signer = ["-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "30"];
  await mustRun(["openssl", "x509", "-req", "-in", at("client.csr"), ...signer, "-out", at("client.crt")]);
}
