import { createDecipheriv, createHmac, type KeyObject, timingSafeEqual } from "node:crypto";
import { Fault, reasonOf } from "../base/index.ts";
import { type Descriptor, type JsonObject, jsonField, jsonObject, jsonText, parseJsonObject } from "../oci/index.ts";

/** Ocicrypt's annotations of an encrypted layer. */
const annotation = {
  jwe: "org.opencontainers.image.enc.keys.jwe",
  publicOptions: "org.opencontainers.image.enc.pubopts",
  /** All kinds of wrapped keys begin so. */
  wrapped: "org.opencontainers.image.enc.keys.",
} as const;

const maxOptionsBytes = 64 * 1024;
const maxWrappedKeys = 100;

/** Whether a layer has to be decrypted. */
export function isEncrypted({ mediaType }: Descriptor): boolean {
  return mediaType.endsWith("+encrypted");
}

/** What opens a layer. */
export interface LayerSecret {
  readonly key: Buffer;
  readonly nonce: Buffer;
  /** Of the encrypted bytes. */
  readonly hmac: Buffer;
}

/**
 * The bytes of an encrypted layer in the clear (ocicrypt: AES-256-CTR with an HMAC). They can be trusted only once the iteration has ended: it
 * rejects when the HMAC is another one.
 */
export async function* decryptLayer(
  bytes: AsyncIterable<Uint8Array>,
  { key, nonce, hmac }: LayerSecret,
): AsyncGenerator<Uint8Array, void, undefined> {
  const decipher = createDecipheriv("aes-256-ctr", key, nonce);
  const actual = createHmac("sha256", key);
  for await (const chunk of bytes) {
    actual.update(chunk);
    yield decipher.update(chunk);
  }
  if (!timingSafeEqual(actual.digest(), hmac))
    throw new Fault("corrupt", "the encrypted layer has been changed: its HMAC is another one");
}

/** Unwraps what a layer is encrypted with (JWE). Rejects with Fault("denied") when none of the keys does. */
export async function openSecret(layer: Descriptor, keys: readonly KeyObject[]): Promise<LayerSecret> {
  const annotations = layer.annotations ?? {};
  const wrapped = annotations[annotation.jwe] ?? "";
  if (wrapped === "") {
    const kinds = Object.keys(annotations).filter((name) => name.startsWith(annotation.wrapped));
    throw new Fault(
      "unimplemented",
      `the layer is encrypted for ${kinds.join(", ").slice(0, 200) || "nobody"}; only keys wrapped as JWE can be used`,
    );
  }
  if (keys.length === 0)
    throw new Fault("denied", "the layer is encrypted, and there is no key in decryption_keys_path");
  const what = "the layer's encryption options";
  const open = parseJsonObject(fromBase64(annotations[annotation.publicOptions] ?? ""), what, maxOptionsBytes);
  const cipher = jsonText(open, "cipher", what) ?? "";
  if (cipher !== "AES_256_CTR_HMAC_SHA256")
    throw new Fault("unimplemented", `the layer is encrypted with ${JSON.stringify(cipher.slice(0, 100))}`);
  const secret = parseJsonObject(await unwrap(wrapped, keys), what, maxOptionsBytes);
  const options = jsonObject(jsonField(secret, "cipheroptions") ?? {}, what);
  return {
    key: ofLength(secret, "symkey", 32),
    nonce: ofLength(options, "nonce", 16),
    hmac: ofLength(open, "hmac", 32),
  };
}

/** Of the wrapped keys, one for each time the layer was encrypted for somebody, the first that one of our keys opens. */
async function unwrap(wrapped: string, keys: readonly KeyObject[]): Promise<Uint8Array> {
  // Few nodes have encrypted images.
  const { flattenedDecrypt, generalDecrypt } = await import("jose");
  let failure: unknown;
  for (const text of wrapped.split(",").slice(0, maxWrappedKeys)) {
    const jwe = parseJsonObject(fromBase64(text), "the layer's wrapped key", maxOptionsBytes);
    for (const key of keys) {
      try {
        const options = {
          keyManagementAlgorithms: ["RSA-OAEP", "RSA-OAEP-256", "ECDH-ES+A256KW"],
          contentEncryptionAlgorithms: ["A256GCM"],
        };
        const isGeneral = Object.hasOwn(jwe, "recipients");
        // The library checks the fields itself.
        const opened = isGeneral
          ? await generalDecrypt(jwe as never, key, options)
          : await flattenedDecrypt(jwe as never, key, options);
        return opened.plaintext;
      } catch (error) {
        failure = error;
      }
    }
  }
  const count = `none of the keys (${keys.length})`;
  throw new Fault("denied", `${count} in decryption_keys_path opens the encrypted layer: ${reasonOf(failure)}`, {
    cause: failure,
  });
}

function ofLength(object: JsonObject, field: string, length: number): Buffer {
  const bytes = fromBase64(jsonText(object, field, "the layer's encryption options") ?? "");
  if (bytes.length === length) return bytes;
  throw new Fault("invalid", `the layer's encryption options: ${field} has ${bytes.length} bytes, not ${length}`);
}

function fromBase64(text: string): Buffer {
  return Buffer.from(text, "base64");
}
