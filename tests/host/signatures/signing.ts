/** Sigstore signatures, certificates and log entries, made of keys of the test, to be spoilt. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../support/fixtures/index.ts";
import { mustRun } from "../../support/programs.ts";

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function newKeys(): KeyPair {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

export function pemOf(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}

/** As policy.json has keys and certificates. */
export function inPolicy(pem: string): string {
  return Buffer.from(pem).toString("base64");
}

/** A layer of cosign's attachment. */
export interface Attachment {
  readonly payload: Buffer;
  readonly annotations: Readonly<Record<string, string>>;
  readonly mediaType?: string;
}

export function payloadOf(reference: string, digest: string, type = "cosign container image signature"): Buffer {
  const critical = { identity: { "docker-reference": reference }, image: { "docker-manifest-digest": digest }, type };
  return Buffer.from(JSON.stringify({ critical, optional: null }));
}

const signatureKey = "dev.cosignproject.cosign/signature";

export function attachmentOf(payload: Buffer, key: KeyObject): Attachment {
  return { payload, annotations: { [signatureKey]: sign("sha256", payload, key).toString("base64") } };
}

export function withAnnotations(attachment: Attachment, annotations: Readonly<Record<string, string>>): Attachment {
  return { ...attachment, annotations: { ...attachment.annotations, ...annotations } };
}

/** What Rekor gives out for a signature: `change` spoils the record before it is signed. */
export function logEntry(
  log: KeyPair,
  { attachment, pem, at = new Date() }: { readonly attachment: Attachment; readonly pem: string; readonly at?: Date },
  change: (record: { spec: { data: { hash: { value: string } } } }) => object = (record) => record,
): string {
  const record = {
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: { hash: { algorithm: "sha256", value: createHash("sha256").update(attachment.payload).digest("hex") } },
      signature: {
        content: attachment.annotations[signatureKey],
        publicKey: { content: Buffer.from(pem).toString("base64") },
      },
    },
  };
  const body = Buffer.from(JSON.stringify(change(record))).toString("base64");
  const payload = { body, integratedTime: Math.floor(at.getTime() / 1000), logID: "0".repeat(64), logIndex: 7 };
  const promise = sign("sha256", Buffer.from(JSON.stringify(payload)), log.privateKey);
  return JSON.stringify({ SignedEntryTimestamp: promise.toString("base64"), Payload: payload });
}

/** Puts attachments in the place of those that a manifest has. */
export async function attach(
  host: string,
  repository: string,
  { digest, attachments }: { readonly digest: string; readonly attachments: readonly Attachment[] },
): Promise<void> {
  const config = Buffer.from("{}");
  await putBlob(host, repository, { digest: digestOf(config), bytes: config });
  for (const { payload } of attachments) await putBlob(host, repository, { digest: digestOf(payload), bytes: payload });
  await putManifest(host, repository, `${digest.replace(":", "-")}.sig`, {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: digestOf(config), size: config.length },
    layers: attachments.map(({ payload, annotations, mediaType }) => ({
      mediaType: mediaType ?? "application/vnd.dev.cosign.simplesigning.v1+json",
      digest: digestOf(payload),
      size: payload.length,
      annotations,
    })),
  });
}

/** An authority for signing certificates, with an intermediate one below it. */
export class Authority {
  readonly #dir: string;
  readonly root: string;
  readonly chain: string;

  private constructor(dir: string, root: string, chain: string) {
    this.#dir = dir;
    this.root = root;
    this.chain = chain;
  }

  static async make(): Promise<Authority> {
    const dir = await mkdtemp("/tmp/authority-");
    await request(dir, "root", "/O=test/CN=root");
    const authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
    await certify(dir, { name: "root", extensions: authority, issuer: undefined });
    await request(dir, "between", "/O=test/CN=between");
    await certify(dir, { name: "between", extensions: `${authority}extendedKeyUsage=codeSigning\n`, issuer: "root" });
    const read = (name: string) => readFile(join(dir, `${name}.crt`), "utf8");
    return new Authority(dir, await read("root"), await read("between"));
  }

  /** A certificate with these extensions (openssl's x509v3_config), valid for a day around now. */
  async issue(
    extensions: string,
    from = new Date(Date.now() - 43_200_000),
  ): Promise<{ readonly pem: string; readonly key: KeyObject }> {
    const { publicKey: _, privateKey } = newKeys();
    const name = `leaf-${createHash("sha256").update(extensions).digest("hex").slice(0, 8)}-${from.getTime()}`;
    await writeFile(join(this.#dir, `${name}.key`), privateKey.export({ type: "pkcs8", format: "pem" }));
    await mustRun([
      "openssl",
      "req",
      "-new",
      "-key",
      join(this.#dir, `${name}.key`),
      "-subj",
      "/O=test",
      "-out",
      join(this.#dir, `${name}.csr`),
    ]);
    await certify(this.#dir, { name, extensions, issuer: "between", from });
    return { pem: await readFile(join(this.#dir, `${name}.crt`), "utf8"), key: privateKey };
  }
}

async function request(dir: string, name: string, subject: string): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", join(dir, `${name}.key`)];
  await mustRun(["openssl", "req", "-new", ...key, "-subj", subject, "-out", join(dir, `${name}.csr`)]);
}

async function certify(
  dir: string,
  {
    name,
    extensions,
    issuer,
    from = new Date(Date.now() - 172_800_000),
  }: { name: string; extensions: string; issuer: string | undefined; from?: Date },
): Promise<void> {
  const at = (file: string) => join(dir, file);
  await writeFile(at(`${name}.ext`), extensions);
  const signer =
    issuer === undefined
      ? ["-key", at(`${name}.key`)]
      : ["-CA", at(`${issuer}.crt`), "-CAkey", at(`${issuer}.key`), "-CAcreateserial"];
  const days = name.startsWith("leaf") ? 1 : 30;
  const time = (date: Date) => `${date.toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
  const validity = ["-not_before", time(from), "-not_after", time(new Date(from.getTime() + days * 86_400_000))];
  await mustRun([
    "openssl",
    "x509",
    "-req",
    "-in",
    at(`${name}.csr`),
    ...signer,
    ...validity,
    "-extfile",
    at(`${name}.ext`),
    "-out",
    at(`${name}.crt`),
  ]);
}

/** Pushes a blob; `digest` is that of the bytes. */
async function putBlob(host: string, repository: string, blob: { digest: string; bytes: Uint8Array }): Promise<void> {
  const begun = await fetch(`https://${host}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  const url = new URL(begun.headers.get("location") ?? "", `https://${host}`);
  url.searchParams.set("digest", blob.digest);
  const headers = { "content-type": "application/octet-stream" };
  const done = await fetch(url, { method: "PUT", headers, body: new Uint8Array(blob.bytes) });
  if (done.status !== 201) throw new Error(`pushing a blob: ${done.status} ${await done.text()}`);
}

/** Pushes a manifest under a tag. */
async function putManifest(host: string, repository: string, tag: string, manifest: object): Promise<void> {
  const headers = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
  const body = JSON.stringify(manifest);
  const done = await fetch(`https://${host}/v2/${repository}/manifests/${tag}`, { method: "PUT", headers, body });
  if (done.status !== 201) throw new Error(`pushing a manifest: ${done.status} ${await done.text()}`);
}
