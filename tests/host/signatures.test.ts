/**
 * Signature policies against Debian's docker-registry: what gpg and skopeo signed is used, what is spoilt in any way is not, and nothing of it stays
 * (reference: annotations-and-features.md 10). Each policy is that of a namespace of its own.
 */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { digestOf, fixtureNames } from "../support/fixtures/index.ts";
import { mustRun, run } from "../support/programs.ts";
import { type DockerRegistry, startDockerRegistry } from "../support/registry/docker-registry.ts";

import { expectRefusal, leavesNothing } from "./bad-input/refusal.ts";
import { goodContainer, hostNetworkPod, openScene, type Scene, withContainer, withPod } from "./bad-input/scene.ts";
import { leavesStoreAsItWas } from "./bad-registry/pulling.ts";
import {
  type Attachment,
  Authority,
  attach,
  attachmentOf,
  inPolicy,
  logEntry,
  newKeys,
  payloadOf,
  pemOf,
  withAnnotations,
} from "./signatures/signing.ts";

const bundle = "dev.sigstore.cosign/bundle";
const certificate = "dev.sigstore.cosign/certificate";
const chain = "dev.sigstore.cosign/chain";

/** The node's own, which its programs trust. */
const registryCertificate = {
  certificate: "/run/registry-certificates/server.crt",
  key: "/run/registry-certificates/server.key",
};

describe("a signature policy", () => {
  let dir: string;
  let policies: string;
  let registry: DockerRegistry;
  let scene: Scene;
  let gnupg: Readonly<Record<string, string>>;
  let keyring: string;
  let digest: string;
  let namespaces = 0;
  const lookaside = () => join(dir, "lookaside");
  const name = (repository: string) => `${registry.host}/${repository}:1`;

  before(async () => {
    dir = await mkdtemp("/var/tmp/signatures-");
    policies = join(dir, "policies");
    await mkdir(policies);
    await mkdir(lookaside());
    await mkdir(join(dir, "gnupg"), { mode: 0o700 });
    gnupg = { GNUPGHOME: join(dir, "gnupg") };
    keyring = await newGpgKey("signer@example.com");
    await writeFile(join(dir, "pass"), "of a test");
    await mustRun([
      "skopeo",
      "generate-sigstore-key",
      "--output-prefix",
      join(dir, "sigstore"),
      "--passphrase-file",
      join(dir, "pass"),
    ]);
    registry = await startDockerRegistry({ port: 5001, tls: registryCertificate });
    await mkdir("/etc/containers/registries.d", { recursive: true });
    await writeFile(
      "/etc/containers/registries.d/test.yaml",
      `docker:
  ${registry.host}:
    use-sigstore-attachments: true
  ${registry.host}/gpg:
    lookaside: file://${lookaside()}
`,
    );
    scene = await openScene({ config: `[crio.image]\nsignature_policy_dir = "${policies}"\n` });
    for (const repository of ["gpg/app", "gpg/other", "sigstore/app", "plain/app", "made/app"]) await push(repository);
    digest = digestOf(
      Buffer.from((await mustRun(["skopeo", "inspect", "--raw", `docker://${name("plain/app")}`])).stdout),
    );
  });
  after(async () => {
    await scene?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    await run(["gpgconf", "--kill", "all"], { env: gnupg });
    await rm("/etc/containers/registries.d/test.yaml");
    await rm(dir, { recursive: true });
  });

  /** Resolves with the public key's file. */
  async function newGpgKey(user: string, expires = "never"): Promise<string> {
    const file = join(dir, `${user}.gpg`);
    await mustRun(["gpg", "--batch", "--passphrase", "", "--quick-generate-key", user, "ed25519", "sign", expires], {
      env: gnupg,
    });
    await mustRun(["gpg", "--batch", "--output", file, "--export", user], { env: gnupg });
    return file;
  }

  async function push(repository: string, ...options: readonly string[]): Promise<void> {
    const from = `docker://${fixtureNames.configured}`;
    await mustRun(["skopeo", "copy", "-q", ...options, from, `docker://${name(repository)}`], { env: gnupg });
  }

  /** A namespace whose pods have this policy. */
  async function namespaceWith(requirement: object): Promise<string> {
    const namespace = `ns-${namespaces++}`;
    const scopes = { docker: { [registry.host]: [requirement] } };
    const policy = { default: [{ type: "insecureAcceptAnything" }], transports: scopes };
    await writeFile(join(policies, `${namespace}.json`), JSON.stringify(policy));
    return namespace;
  }

  const pull = (image: string, namespace: string) =>
    scene.cri.image.pullImage({
      image: { image },
      sandboxConfig: { metadata: { name: "x", uid: "x", namespace, attempt: 0 } },
    });
  const remove = (image: string) => scene.cri.image.removeImage({ image: { image } });

  async function accepts(image: string, requirement: object): Promise<void> {
    const namespace = await namespaceWith(requirement);
    await leavesStoreAsItWas(async () => {
      const { imageRef } = await pull(image, namespace);
      assert.match(imageRef, /^[0-9a-f]{64}$/);
      await remove(image);
    });
  }

  async function refuses(image: string, requirement: object, words: RegExp): Promise<void> {
    const namespace = await namespaceWith(requirement);
    const details = new RegExp(
      `^SignatureValidationFailed: unable to pull image \\S+: Source image rejected: .*${words.source}`,
    );
    await leavesStoreAsItWas(() => expectRefusal(pull(image, namespace), { details }));
  }

  /** What the store has of an image's signatures: its metadata, and its data by key. */
  async function storedSignatures(image: string): Promise<object> {
    const images = "/var/lib/containers/storage/overlay-images";
    const records: readonly {
      id: string;
      names: readonly string[];
      metadata: string;
      "big-data-names": readonly string[];
    }[] = JSON.parse(await readFile(join(images, "images.json"), "utf8"));
    const record = records.find(({ names }) => names.includes(image));
    assert.ok(record !== undefined);
    const keys = record["big-data-names"].filter((key) => key.startsWith("signature")).sort();
    assert.ok(keys.length > 0);
    const file = (key: string) => join(images, record.id, `=${Buffer.from(key).toString("base64")}`);
    const plain = (key: string) => join(images, record.id, key);
    const read = (key: string) => readFile(/^[0-9a-z.]+$/.test(key) ? plain(key) : file(key), "latin1");
    const data = await Promise.all(keys.map(async (key) => [key, await read(key)]));
    return { metadata: JSON.parse(record.metadata), data };
  }

  describe("that needs no signature", () => {
    it("accepts anything, or rejects everything", async () => {
      await accepts(name("plain/app"), { type: "insecureAcceptAnything" });
      await refuses(name("plain/app"), { type: "reject" }, /rejected by policy/);
    });

    it("which has a fault lets nothing through, and says what the fault is", async () => {
      const texts = [
        "{",
        "[]",
        "{}",
        `{"default": []}`,
        `{"default": [{"type": "insecureAcceptAnything"}], "default": [{"type": "reject"}]}`,
        `{"default": [{"type": "insecureAcceptAnything"}], "__proto__": {"transports": {}}}`,
        `{"default": [{"type": "acceptEverything"}]}`,
        `{"default": [{"type": "insecureAcceptAnything", "but": 1}]}`,
        `{"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/a", "keyData": "YQ=="}]}`,
        `{"default": [{"type": "sigstoreSigned", "keyPath": "/a", "pki": {}}]}`,
        "[".repeat(100_000),
      ];
      for (const [at, text] of texts.entries()) {
        const path = join(policies, `bad-${at}.json`);
        await writeFile(path, text);
        const details = new RegExp(`reading the signature policy ${path}`);
        await leavesStoreAsItWas(() => expectRefusal(pull(name("plain/app"), `bad-${at}`), { details }));
      }
      const escapes = expectRefusal(pull(name("plain/app"), "../../etc/containers/policy"), {
        details: /not the name of a namespace/,
      });
      await leavesStoreAsItWas(() => escapes);
    });
  });

  describe("for GPG signatures", () => {
    const signedBy = (more: object = {}) => ({ type: "signedBy", keyType: "GPGKeys", keyPath: keyring, ...more });
    const folder = () => join(lookaside(), `gpg/app@sha256=${digest.slice("sha256:".length)}`);
    before(() => push("gpg/app", "--sign-by", "signer@example.com"));

    /** While the only signature is this one. */
    async function withSignature(bytes: Uint8Array, work: () => Promise<void>): Promise<void> {
      const file = join(folder(), "signature-1");
      const good = await readFile(file);
      await writeFile(file, bytes);
      try {
        await work();
      } finally {
        await writeFile(file, good);
      }
    }

    /** What gpg makes of a text. */
    async function gpgSigned(text: string | Buffer, user: string, ...options: readonly string[]): Promise<Buffer> {
      const [input, output] = [join(dir, "to-sign"), join(dir, "signed")];
      await writeFile(input, text);
      await mustRun(
        [
          "gpg",
          "--batch",
          "--yes",
          "--pinentry-mode",
          "loopback",
          ...options,
          "--local-user",
          user,
          "--output",
          output,
          "--sign",
          input,
        ],
        { env: gnupg },
      );
      return await readFile(output);
    }

    it("uses what skopeo has signed, by tag and by digest, with every kind of keyring", async () => {
      await accepts(name("gpg/app"), signedBy());
      await accepts(`${registry.host}/gpg/app@${digest}`, signedBy());
      const armored = (await mustRun(["gpg", "--batch", "--armor", "--export", "signer@example.com"], { env: gnupg }))
        .stdout;
      await accepts(name("gpg/app"), { type: "signedBy", keyType: "GPGKeys", keyData: inPolicy(armored) });
      const other = await newGpgKey("unused@example.com");
      await accepts(name("gpg/app"), { type: "signedBy", keyType: "GPGKeys", keyPaths: [other, keyring] });
    });

    it("uses signatures of a lookaside on the web", async () => {
      const server = createServer((request, response) => {
        readFile(join(lookaside(), new URL(request.url ?? "/", "http://x").pathname)).then(
          (bytes) => response.end(bytes),
          () => response.writeHead(404).end(),
        );
      });
      await new Promise<void>((resolve) => server.listen(5055, "127.0.0.1", resolve));
      const file = "/etc/containers/registries.d/web.yaml";
      await writeFile(file, `docker:\n  ${name("gpg/app")}:\n    lookaside: http://plain.test:5055\n`);
      try {
        await accepts(name("gpg/app"), signedBy());
      } finally {
        await rm(file);
        await new Promise((resolve) => server.close(resolve));
      }
    });

    it("heeds which names a signature may be for", async () => {
      const repository = `${registry.host}/gpg/app`;
      const identities: readonly (readonly [good: object, bad: object])[] = [
        [{ type: "matchExact" }, { type: "exactReference", dockerReference: `${repository}:2` }],
        [{ type: "matchRepository" }, { type: "exactRepository", dockerRepository: `${repository}/other` }],
        [
          { type: "exactReference", dockerReference: name("gpg/app") },
          { type: "exactRepository", dockerRepository: "example.com/app" },
        ],
        [
          { type: "exactRepository", dockerRepository: repository },
          { type: "remapIdentity", prefix: registry.host, signedPrefix: "example.com" },
        ],
        [
          { type: "remapIdentity", prefix: "example.com", signedPrefix: "example.org" },
          { type: "remapIdentity", prefix: repository, signedPrefix: "quay.io/x/y" },
        ],
      ];
      for (const [good, bad] of identities) {
        await accepts(name("gpg/app"), signedBy({ signedIdentity: good }));
        await refuses(name("gpg/app"), signedBy({ signedIdentity: bad }), /is not accepted/);
      }
    });

    it("refuses what is not signed, or by somebody else", async () => {
      await refuses(name("gpg/other"), signedBy(), /a signature was required, but no signature exists/);
      const other = await newGpgKey("other@example.com");
      await refuses(name("gpg/app"), { ...signedBy(), keyPath: other }, /which is not among the trusted ones/);
      await refuses(name("gpg/app"), { ...signedBy(), keyPath: "/nowhere" }, /\/nowhere/);
      await refuses(name("gpg/app"), { ...signedBy(), keyPath: join(dir, "pass") }, /keyring/);
    });

    it("refuses the signature of another image, or for another name", async () => {
      const claim = (reference: string, of: string, type = "atomic container signature") =>
        payloadOf(reference, of, type);
      const bad: readonly (readonly [Buffer | string, RegExp])[] = [
        [claim(name("gpg/app"), `sha256:${"1".repeat(64)}`), /does not match/],
        [claim(name("gpg/other"), digest), /is not accepted/],
        [claim(`${registry.host}/gpg/app`, digest), /is not accepted/],
        [claim(name("gpg/app"), digest, "something else"), /of the type/],
        [claim(name("gpg/app"), "sha256:short"), /not a digest/],
        [`{"critical": {"__proto__": {}}}`, /unknown field|absent/],
        [
          claim(name("gpg/other"), digest)
            .toString()
            .replace(
              /}$/,
              `,"critical":${JSON.stringify(JSON.parse(claim(name("gpg/app"), digest).toString()).critical)}}`,
            ),
          /twice/,
        ],
        ["not JSON", /not valid JSON/],
        ["[".repeat(200_000), /JSON/],
      ];
      for (const [text, words] of bad) {
        await withSignature(await gpgSigned(text, "signer@example.com"), () =>
          refuses(name("gpg/app"), signedBy(), words),
        );
      }
      const good = claim(name("gpg/app"), digest);
      await withSignature(await gpgSigned(good, "signer@example.com"), () => accepts(name("gpg/app"), signedBy()));
    });

    it("refuses signatures that are cut, changed, huge, bombs, or by keys that are past", async () => {
      const good = await readFile(join(folder(), "signature-1"));
      const flipped = Buffer.from(good);
      flipped[good.length - 10] = (flipped[good.length - 10] ?? 0) ^ 1;
      const cases = [
        good.subarray(0, 20),
        good.subarray(0, -20),
        flipped,
        Buffer.alloc(0),
        Buffer.from("\0x\ny"),
        Buffer.concat([good, good]),
      ];
      for (const bytes of cases) await withSignature(bytes, () => refuses(name("gpg/app"), signedBy(), /./));
      await withSignature(Buffer.alloc(5 << 20, 1), async () => {
        await leavesStoreAsItWas(async () =>
          expectRefusal(pull(name("gpg/app"), await namespaceWith(signedBy())), { details: /larger than 4194304/ }),
        );
      });
      const bomb = await gpgSigned(Buffer.alloc(64 << 20), "signer@example.com", "--compress-algo", "zlib");
      assert.ok(bomb.length < 1 << 20);
      await withSignature(bomb, () => refuses(name("gpg/app"), signedBy(), /OpenPGP signature is not valid/));
      const claim = payloadOf(name("gpg/app"), digest, "atomic container signature");
      const past = await newGpgKey("past@example.com", "seconds=3600");
      const signed = await gpgSigned(claim, "past@example.com");
      await withSignature(signed, () => accepts(name("gpg/app"), { ...signedBy(), keyPath: past }));
      await mustRun(["gpg", "--batch", "--quick-set-expire", await fingerprint("past@example.com"), "seconds=1"], {
        env: gnupg,
      });
      await rm(past);
      await mustRun(["gpg", "--batch", "--output", past, "--export", "past@example.com"], { env: gnupg });
      await withSignature(signed, () =>
        refuses(name("gpg/app"), { ...signedBy(), keyPath: past }, /expired|not valid/),
      );
      assert.deepEqual(await readdir(folder()), ["signature-1"]);
    });

    async function fingerprint(user: string): Promise<string> {
      const { stdout } = await mustRun(["gpg", "--batch", "--with-colons", "--list-keys", user], { env: gnupg });
      return /^fpr:+([0-9A-F]+):/m.exec(stdout)?.[1] ?? "";
    }

    it("keeps signatures as skopeo does, and finds skopeo's, when a container is created", async () => {
      const namespace = await namespaceWith(signedBy());
      const image = name("gpg/app");
      await leavesStoreAsItWas(async () => {
        await mustRun(["skopeo", "copy", "-q", `docker://${image}`, `containers-storage:${image}`]);
        const theirs = await storedSignatures(image);
        await creates(namespace, image);
        await remove(image);
        await pull(image, namespace);
        assert.deepEqual(await storedSignatures(image), theirs);
        await creates(namespace, image);
        await remove(image);
      });
    });

    /** Containers of a namespace can be made of an image under the name it was signed by, and by no other. */
    async function creates(namespace: string, image: string): Promise<void> {
      const { cri } = scene;
      const id = (await cri.image.imageStatus({ image: { image } })).image?.id ?? "";
      const sandboxConfig = hostNetworkPod("signed", {
        metadata: { name: "signed", uid: "signed", namespace, attempt: 0 },
      });
      const of = (userSpecifiedImage: string) =>
        goodContainer("app", { image: { image: id, userSpecifiedImage }, command: ["/bin/sh"] });
      await withPod(cri, { config: sandboxConfig }, async (podSandboxId) => {
        const request = (userSpecifiedImage: string) => ({
          podSandboxId,
          config: of(userSpecifiedImage),
          sandboxConfig,
        });
        await withContainer(cri, { ...request(image), started: false }, async () => {});
        const prefix = /^checking signature of "\S+": verifying signatures: SignatureValidationFailed: /;
        await expectRefusal(cri.runtime.createContainer(request(name("gpg/other"))), { details: prefix });
        await expectRefusal(cri.runtime.createContainer(request("")), {
          details: "user specified image not specified, cannot verify image signature",
        });
        const volume = { containerPath: "/v", image: { image: id, userSpecifiedImage: name("gpg/other") } };
        const config = goodContainer("app", { ...of(image), mounts: [volume] });
        const details =
          /^ImageVolumeMountFailed: checking signature of "\S+": verifying signatures: SignatureValidationFailed: /;
        await expectRefusal(cri.runtime.createContainer({ podSandboxId, config, sandboxConfig }), { details });
      });
    }

    it("refuses to create a container of an image that was pulled for a namespace without policy", async () => {
      const [open, strict] = [await namespaceWith({ type: "insecureAcceptAnything" }), await namespaceWith(signedBy())];
      const image = name("gpg/other");
      await leavesStoreAsItWas(async () => {
        await pull(image, open);
        const sandboxConfig = hostNetworkPod("strict", {
          metadata: { name: "strict", uid: "strict", namespace: strict, attempt: 0 },
        });
        await leavesNothing(() =>
          withPod(scene.cri, { config: sandboxConfig }, async (podSandboxId) => {
            const config = goodContainer("app", { image: { image, userSpecifiedImage: image } });
            const details =
              /^checking signature of "\S+": verifying signatures: SignatureValidationFailed: .*no signature exists/;
            await expectRefusal(scene.cri.runtime.createContainer({ podSandboxId, config, sandboxConfig }), {
              details,
            });
          }),
        );
        await remove(image);
      });
    });
  });

  describe("for sigstore signatures", () => {
    const keys = newKeys();
    const log = newKeys();
    const signedByKey = (more: object = {}) => ({
      type: "sigstoreSigned",
      keyData: inPolicy(pemOf(keys.publicKey)),
      ...more,
    });
    const image = () => name("made/app");
    const good = () => attachmentOf(payloadOf(image(), digest), keys.privateKey);
    const made = (...attachments: readonly Attachment[]) => attach(registry.host, "made/app", { digest, attachments });

    it("uses what skopeo has signed", async () => {
      const key = [
        "--sign-by-sigstore-private-key",
        join(dir, "sigstore.private"),
        "--sign-passphrase-file",
        join(dir, "pass"),
      ];
      await push("sigstore/app", ...key);
      const requirement = { type: "sigstoreSigned", keyPath: join(dir, "sigstore.pub") };
      await accepts(name("sigstore/app"), requirement);
      await accepts(`${registry.host}/sigstore/app@${digest}`, {
        ...requirement,
        signedIdentity: { type: "matchRepository" },
      });
      await refuses(name("plain/app"), requirement, /no signature exists/);
      await refuses(name("sigstore/app"), signedByKey(), /verification failed/);
    });

    it("keeps them in the store as skopeo does", async () => {
      await made(good());
      const namespace = await namespaceWith(signedByKey());
      await leavesStoreAsItWas(async () => {
        await mustRun(["skopeo", "copy", "-q", `docker://${image()}`, `containers-storage:${image()}`]);
        const theirs = await storedSignatures(image());
        await remove(image());
        await pull(image(), namespace);
        assert.deepEqual(await storedSignatures(image()), theirs);
        await remove(image());
      });
    });

    it("refuses what is wrong with a signature, and uses a good one among bad ones", async () => {
      const payload = payloadOf(image(), digest);
      const cases: readonly (readonly [Attachment, RegExp])[] = [
        [attachmentOf(payload, newKeys().privateKey), /verification failed/],
        [{ ...good(), payload: payloadOf(image(), digest.replace(/.$/, "0")) }, /verification failed/],
        [{ ...good(), annotations: {} }, /missing dev.cosignproject.cosign\/signature annotation/],
        [{ ...good(), mediaType: "application/vnd.other" }, /no signature exists of the kind/],
        [attachmentOf(payloadOf(image(), `sha256:${"2".repeat(64)}`), keys.privateKey), /does not match/],
        [attachmentOf(payloadOf(name("plain/app"), digest), keys.privateKey), /is not accepted/],
        [attachmentOf(payloadOf(image(), digest, "atomic container signature"), keys.privateKey), /of the type/],
        [attachmentOf(Buffer.from(`{"critical":{},"critical":{}}`), keys.privateKey), /twice/],
        [attachmentOf(Buffer.from(`{"__proto__":{"critical":{}}}`), keys.privateKey), /unknown field/],
      ];
      for (const [attachment, words] of cases) {
        await made(attachment);
        await refuses(image(), signedByKey(), words);
      }
      await made(...cases.map(([attachment]) => attachment), good());
      await accepts(image(), signedByKey());
      await made(...Array.from({ length: 200 }, () => good()));
      const namespace = await namespaceWith(signedByKey());
      await leavesStoreAsItWas(() => expectRefusal(pull(image(), namespace), { details: /more than 128 signatures/ }));
    });

    it("asks for the transparency log where it is told to", async () => {
      const pem = pemOf(keys.publicKey);
      const logged = signedByKey({ rekorPublicKeyData: inPolicy(pemOf(log.publicKey)) });
      const attachment = good();
      const cases: readonly (readonly [string | undefined, RegExp])[] = [
        [undefined, /missing dev.sigstore.cosign\/bundle annotation/],
        ["{", /not valid JSON/],
        [logEntry(newKeys(), { attachment, pem }), /not signed by a trusted log/],
        [logEntry(log, { attachment, pem: pemOf(newKeys().publicKey) }), /another key or certificate/],
        [logEntry(log, { attachment: good(), pem }), /another signature/],
        [logEntry(log, { attachment, pem }, (record) => ({ ...record, kind: "intoto" })), /not a hashedrekord/],
        [logEntry(log, { attachment: { ...attachment, payload: Buffer.from("x") }, pem }), /another payload/],
        [logEntry(log, { attachment, pem }).replace(`"logIndex":7`, `"logIndex":8`), /not signed by a trusted log/],
      ];
      for (const [entry, words] of cases) {
        await made(entry === undefined ? attachment : withAnnotations(attachment, { [bundle]: entry }));
        await refuses(image(), logged, words);
      }
      await made(withAnnotations(attachment, { [bundle]: logEntry(log, { attachment, pem }) }));
      await accepts(image(), logged);
    });

    it("trusts the certificates of a Fulcio for as long as they were valid when the log saw them", async () => {
      const fulcio = await Authority.make();
      const requirement = (more: object = {}) => ({
        type: "sigstoreSigned",
        fulcio: {
          caData: inPolicy(fulcio.root),
          oidcIssuer: "https://login.test",
          subjectEmail: "me@example.com",
          ...more,
        },
        rekorPublicKeyData: inPolicy(pemOf(log.publicKey)),
      });
      const issuer = "1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:https://login.test\n";
      const usage = "extendedKeyUsage=codeSigning\nkeyUsage=critical,digitalSignature\n";
      const email = "subjectAltName=critical,email:me@example.com\n";
      const signed = async (extensions: string, { from, at }: { readonly from?: Date; readonly at?: Date } = {}) => {
        const { pem, key } = await fulcio.issue(extensions, from);
        const attachment = attachmentOf(payloadOf(image(), digest), key);
        const entry = logEntry(log, { attachment, pem, ...(at === undefined ? {} : { at }) });
        await made(withAnnotations(attachment, { [bundle]: entry, [certificate]: pem, [chain]: fulcio.chain }));
      };
      await signed(usage + email + issuer);
      await accepts(image(), requirement());
      await refuses(image(), requirement({ oidcIssuer: "https://other.test" }), /unexpected Fulcio OIDC issuer/);
      await refuses(image(), requirement({ subjectEmail: "you@example.com" }), /required email/);
      await refuses(image(), requirement({ caData: inPolicy((await Authority.make()).root) }), /not trusted/);
      const weekAgo = new Date(Date.now() - 7 * 86_400_000);
      await signed(usage + email + issuer, { from: weekAgo });
      await refuses(image(), requirement(), /has expired/);
      const [yesterday, then] = [new Date(Date.now() - 36 * 3_600_000), new Date(Date.now() - 24 * 3_600_000)];
      await signed(usage + email + issuer, { from: yesterday, at: then });
      await accepts(image(), requirement());
      await signed(`keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n${email}${issuer}`);
      await refuses(image(), requirement(), /not for signing code/);
      await signed(`${usage}${email}${issuer}1.2.3.4=critical,ASN1:UTF8String:x\n`);
      await refuses(image(), requirement(), /critical extension 1\.2\.3\.4/);
      await signed(usage + email);
      await refuses(image(), requirement(), /unexpected Fulcio OIDC issuer/);
      const { pem, key } = await fulcio.issue(usage + email + issuer, new Date(Date.now() - 3_600_000));
      const attachment = attachmentOf(payloadOf(image(), digest), key);
      await made(withAnnotations(attachment, { [certificate]: pem, [chain]: fulcio.chain }));
      await refuses(image(), requirement(), /missing dev.sigstore.cosign\/bundle/);
      await made(withAnnotations(attachment, { [bundle]: logEntry(log, { attachment, pem }), [certificate]: pem }));
      await refuses(image(), requirement(), /no path leads to a trusted authority/);
    });

    it("trusts the certificates of a private authority while they are valid", async () => {
      const authority = await Authority.make();
      const requirement = (more: object) => ({
        type: "sigstoreSigned",
        pki: { caRootsData: inPolicy(authority.root), ...more },
      });
      const extensions = "extendedKeyUsage=codeSigning\nsubjectAltName=email:me@example.com,DNS:build.example.com\n";
      const signed = async (from?: Date) => {
        const { pem, key } = await authority.issue(extensions, from);
        await made(
          withAnnotations(attachmentOf(payloadOf(image(), digest), key), {
            [certificate]: pem,
            [chain]: authority.chain,
          }),
        );
      };
      await signed();
      await accepts(image(), requirement({ subjectEmail: "me@example.com" }));
      await accepts(
        image(),
        requirement({ subjectHostname: "build.example.com", caIntermediatesData: inPolicy(authority.chain) }),
      );
      await refuses(image(), requirement({ subjectEmail: "you@example.com" }), /required email/);
      await refuses(image(), requirement({ subjectHostname: "example.com" }), /not for the host/);
      await signed(new Date(Date.now() - 7 * 86_400_000));
      await refuses(image(), requirement({ subjectEmail: "me@example.com" }), /has expired/);
    });
  });
});
