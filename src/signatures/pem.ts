import { createPublicKey, type KeyObject } from "node:crypto";
import { Fault, reasonOf } from "../base/index.ts";

export interface PemBlock {
  readonly label: string;
  readonly der: Buffer;
}

const maxPemBytes = 1024 * 1024;
const maxBlocks = 1000;

/** The blocks of a PEM text; text around them is passed over, as everywhere. Throws Fault("invalid") without any. */
export function parsePem(text: string, what: string): readonly PemBlock[] {
  if (text.length > maxPemBytes) throw new Fault("exhausted", `${what} is larger than ${maxPemBytes} bytes`);
  const blocks: PemBlock[] = [];
  for (const [, label = "", body = ""] of text.matchAll(
    /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----/g,
  )) {
    if (blocks.length === maxBlocks) throw new Fault("exhausted", `${what} has more than ${maxBlocks} PEM blocks`);
    blocks.push({ label, der: Buffer.from(body.replace(/\s+/g, ""), "base64") });
  }
  if (blocks.length === 0) throw new Fault("invalid", `${what} is not PEM`);
  return blocks;
}

/** The one public key of a PEM text: ECDSA, RSA or Ed25519. Throws Fault("invalid"). */
export function parsePublicKey(text: string, what: string): KeyObject {
  const [block, ...others] = parsePem(text, what);
  if (block?.label !== "PUBLIC KEY" || others.length > 0)
    throw new Fault("invalid", `${what} is not one PEM public key`);
  try {
    const key = createPublicKey({ key: block.der, format: "der", type: "spki" });
    if (["ec", "rsa", "ed25519"].includes(key.asymmetricKeyType ?? "")) return key;
    throw new Fault("invalid", `keys of the type ${key.asymmetricKeyType} are not supported`);
  } catch (error) {
    throw new Fault("invalid", `${what}: ${reasonOf(error)}`, { cause: error });
  }
}
