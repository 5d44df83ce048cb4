/** Images that are encrypted, by skopeo, and credentials that are left for one pull of one namespace (reference: annotations-and-features.md 10). */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fixtureNames } from "../support/fixtures/index.ts";
import { expectNoLeaks, takeInventory } from "../support/node/index.ts";
import { mustRun } from "../support/programs.ts";
import { type DockerRegistry, startDockerRegistry } from "../support/registry/docker-registry.ts";

import { registryControl } from "../support/registry/index.ts";
import { expectRefusal } from "./bad-input/refusal.ts";
import { hostNetworkPod, mode, openScene, type Scene, withPod } from "./bad-input/scene.ts";
import { leavesStoreAsItWas } from "./bad-registry/pulling.ts";

/** The node's own, which its programs trust. */
const registryCertificate = {
  certificate: "/run/registry-certificates/server.crt",
  key: "/run/registry-certificates/server.key",
};

describe("secrets of images", () => {
  let dir: string;
  let keys: string;
  let auth: string;
  let scene: Scene;
  let registry: DockerRegistry;
  let atFirst: Awaited<ReturnType<typeof takeInventory>>;
  const pull = (image: string, namespace = "") =>
    scene.cri.image.pullImage({
      image: { image },
      sandboxConfig: { metadata: { name: "x", uid: "x", namespace, attempt: 0 } },
    });
  const remove = (image: string) => scene.cri.image.removeImage({ image: { image } });
  const refuses = (image: string, details: RegExp, namespace?: string) =>
    leavesStoreAsItWas(() => expectRefusal(pull(image, namespace), { details }));
  const accepts = (image: string, namespace?: string) =>
    leavesStoreAsItWas(async () => {
      const { imageRef } = await pull(image, namespace);
      assert.match(imageRef, /^[0-9a-f]{64}$/);
      await remove(image);
      return imageRef;
    });

  before(async () => {
    atFirst = await takeInventory();
    dir = await mkdtemp("/var/tmp/secrets-");
    keys = join(dir, "keys");
    auth = join(dir, "auth");
    registry = await startDockerRegistry({ port: 5001, tls: registryCertificate });
    // What a daemon that was killed was using.
    await mkdir(join(auth, "in-use"), { recursive: true });
    await writeFile(join(auth, "in-use/old.json"), "{}");
    const config = `[crio.image]\nnamespaced_auth_dir = "${auth}"\npause_image_auth_file = "${join(dir, "pause.json")}"\n`;
    scene = await openScene({ config, flags: ["--decryption-keys-path", keys] });
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await rm(dir, { recursive: true });
    await expectNoLeaks(atFirst, { ignore: ["images"] });
  });

  describe("an encrypted image", () => {
    const newKey = async (name: string, ...algorithm: readonly string[]) => {
      await mustRun(["openssl", "genpkey", ...algorithm, "-out", join(dir, `${name}.pem`)]);
      await mustRun(["openssl", "pkey", "-in", join(dir, `${name}.pem`), "-pubout", "-out", join(dir, `${name}.pub`)]);
    };
    const push = async (name: string, ...recipients: readonly string[]) => {
      const image = `${registry.host}/${name}:1`;
      const options = recipients.flatMap((key) => ["--encryption-key", `jwe:${join(dir, `${key}.pub`)}`]);
      await mustRun(["skopeo", "copy", "-q", ...options, `docker://${fixtureNames.configured}`, `docker://${image}`]);
      return image;
    };
    const give = async (...names: readonly string[]) => {
      await rm(keys, { recursive: true, force: true });
      await mkdir(keys);
      for (const name of names) await mustRun(["cp", join(dir, `${name}.pem`), keys]);
    };

    before(async () => {
      await newKey("rsa", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048");
      await newKey("ec", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256");
      await newKey("other", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048");
    });

    it("is what it was before it was encrypted, with any of the keys that it is for", async () => {
      const plain = await accepts(await push("plain"));
      for (const recipients of [["rsa"], ["ec"], ["rsa", "ec"]]) {
        const image = await push(`encrypted-${recipients.join("-")}`, ...recipients);
        for (const key of recipients) {
          await give("other", key);
          assert.equal(await accepts(image), plain);
        }
      }
    });

    it("is refused without its key, in words that say so", async () => {
      const image = await push("locked", "rsa");
      await rm(keys, { recursive: true, force: true });
      await refuses(image, /layer sha256:\w+: the layer is encrypted, and there is no key in decryption_keys_path/);
      await give();
      await refuses(image, /there is no key in decryption_keys_path/);
      await give("other");
      await refuses(image, /none of the keys \(1\) in decryption_keys_path opens the encrypted layer/);
    });

    it("is refused when a key is a symbolic link, or none", async () => {
      const image = await push("linked", "rsa");
      await give("rsa");
      await symlink(join(dir, "rsa.pem"), join(keys, "link.pem"));
      await refuses(image, /link\.pem is a symbolic link, which is not followed/);
      await give("rsa");
      await writeFile(join(keys, "none.pem"), "not a key");
      await refuses(image, /none\.pem is not a private key/);
      await give("rsa");
      await accepts(image);
    });
  });

  describe("credentials of a namespace", () => {
    const image = fixtureNames.configured;
    const repository = image.slice(0, image.lastIndexOf(":"));
    const user = "somebody";
    const password = "n4mespaced-secret";
    const fileOf = (namespace: string) =>
      join(auth, `${namespace}-${createHash("sha256").update(repository).digest("hex")}.json`);
    const leave = async (namespace: string, secret = password) => {
      const entry = { auth: Buffer.from(`${user}:${secret}`).toString("base64") };
      await mkdir(auth, { recursive: true });
      await writeFile(join(dir, "auth.json"), JSON.stringify({ auths: { [repository]: entry } }), { mode: 0o600 });
      await rename(join(dir, "auth.json"), fileOf(namespace));
    };
    const left = async () => {
      const names = await readdir(auth, { recursive: true });
      return names.filter((name) => name.endsWith(".json"));
    };
    const denied = /status 401/;

    before(() => registryControl().setAuth([{ prefix: "crio-ts/", mode: { is: "bearer", user, password } }]));
    after(() => registryControl().setAuth([]));

    it("that a killed daemon was using are gone", async () => assert.deepEqual(await left(), []));

    it("open the registry for one pull of that namespace alone", async () => {
      await leave("one");
      await refuses(image, denied, "two");
      await refuses(image, denied);
      await accepts(image, "one");
      assert.deepEqual(await left(), []);
      await refuses(image, denied, "one");
    });

    it("are gone after a pull that fails, and in no log", async () => {
      await leave("one", "wr0ng-namespaced");
      await refuses(image, denied, "one");
      assert.deepEqual(await left(), []);
      const log = await scene.daemon.log();
      for (const secret of [password, "wr0ng-namespaced"]) assert.ok(!log.includes(secret));
    });

    it("that cannot be read fail the pull, and are gone", async () => {
      await leave("one");
      await writeFile(fileOf("one"), "{");
      await refuses(image, /auth file|status 401/, "one");
      assert.deepEqual(await left(), []);
    });
  });

  it("of pause_image_auth_file open the registry for the pause image", async () => {
    const { cri } = scene;
    const control = registryControl();
    const config = hostNetworkPod("paused", {
      linux: { securityContext: { namespaceOptions: { network: mode.node, pid: mode.pod } } },
    });
    const entry = { auth: Buffer.from("somebody:p4use-secret").toString("base64") };
    const rule = { is: "basic", user: "somebody", password: "p4use-secret" } as const;
    await control.setAuth([{ prefix: "pause", mode: rule }]);
    try {
      await expectRefusal(cri.runtime.runPodSandbox({ config }), { details: /pause image .*status 401/ });
      await writeFile(join(dir, "pause.json"), JSON.stringify({ auths: { "registry.k8s.io": entry } }), {
        mode: 0o600,
      });
      await refuses(fixtureNames.pause, /status 401/);
      await withPod(cri, { config }, async () => {});
    } finally {
      await control.setAuth([]);
    }
    assert.ok(!(await scene.daemon.log()).includes("p4use-secret"));
  });
});
