import assert from "node:assert/strict";
import { createCipheriv, createHmac, generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { FlattenedEncrypt } from "jose";
import { isFault } from "../base/index.ts";
import { type Descriptor, digestOf } from "../oci/index.ts";
import { decryptLayer, openSecret } from "./decrypt-layer.ts";

const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
const plain = randomBytes(100_000);
const symkey = randomBytes(32);
const nonce = randomBytes(16);
const encrypted = createCipheriv("aes-256-ctr", symkey, nonce).update(plain);
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64");
const publicOptions = {
  cipher: "AES_256_CTR_HMAC_SHA256",
  hmac: createHmac("sha256", symkey).update(encrypted).digest("base64"),
  cipheroptions: {},
};

async function wrap(secret: unknown, algorithm = "RSA-OAEP"): Promise<string> {
  const jwe = await new FlattenedEncrypt(Buffer.from(JSON.stringify(secret)))
    .setProtectedHeader({ alg: algorithm, enc: "A256GCM" })
    .encrypt(keys.publicKey);
  return base64(jwe);
}

const secret = { symkey: symkey.toString("base64"), cipheroptions: { nonce: nonce.toString("base64") } };

async function layerWith(annotations: Readonly<Record<string, string>>): Promise<Descriptor> {
  return {
    mediaType: "application/vnd.oci.image.layer.v1.tar+encrypted",
    digest: digestOf(encrypted),
    size: encrypted.length,
    annotations,
  };
}

const annotationsOf = (jwe: string, options: unknown = publicOptions) => ({
  "org.opencontainers.image.enc.keys.jwe": jwe,
  "org.opencontainers.image.enc.pubopts": base64(options),
});

async function* inPieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 777) yield bytes.subarray(at, at + 777);
}

async function opened(bytes: Buffer, annotations: Readonly<Record<string, string>>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const layerSecret = await openSecret(await layerWith(annotations), [keys.privateKey]);
  for await (const piece of decryptLayer(inPieces(bytes), layerSecret)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe("an encrypted layer", () => {
  it("is what it was before, whoever else it is for too", async () => {
    assert.ok((await opened(encrypted, annotationsOf(await wrap(secret)))).equals(plain));
    const others = `${base64({ protected: "e30", ciphertext: "" })},${await wrap(secret)}`;
    assert.ok((await opened(encrypted, annotationsOf(others))).equals(plain));
  });

  it("that was changed, or cut, is refused at its end", async () => {
    const annotations = annotationsOf(await wrap(secret));
    const changed = Buffer.from(encrypted);
    changed[500] = (changed[500] ?? 0) ^ 1;
    for (const bytes of [changed, encrypted.subarray(0, -1), Buffer.alloc(0)]) {
      await assert.rejects(
        opened(bytes, annotations),
        (error) => isFault(error, "corrupt") && /HMAC/.test(error.message),
      );
    }
  });

  it("whose options are not what they must be is refused", async () => {
    const good = await wrap(secret);
    const cases: readonly Readonly<Record<string, string>>[] = [
      {},
      { "org.opencontainers.image.enc.keys.pkcs7": "x" },
      annotationsOf("not base64 of JSON"),
      annotationsOf(good, { ...publicOptions, cipher: "ROT13" }),
      annotationsOf(good, { ...publicOptions, hmac: "AA==" }),
      annotationsOf(good, []),
      annotationsOf(await wrap({ ...secret, symkey: "AA==" })),
      annotationsOf(await wrap({ ...secret, cipheroptions: {} })),
      annotationsOf(await wrap("a text")),
      annotationsOf(await wrap({ __proto__: secret })),
    ];
    for (const annotations of cases) {
      await assert.rejects(
        opened(encrypted, annotations),
        (error) => isFault(error),
        JSON.stringify(annotations).slice(0, 80),
      );
    }
    const noKeys = openSecret(await layerWith(annotationsOf(good)), []);
    await assert.rejects(
      noKeys,
      (error) => isFault(error, "denied") && /no key in decryption_keys_path/.test(error.message),
    );
  });
});
