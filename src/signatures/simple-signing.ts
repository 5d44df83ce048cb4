import { reasonOf } from "../base/index.ts";
import { maxSignatureBytes } from "../oci/index.ts";
import { claimTypes, parseClaim, type SignedClaim } from "./payload.ts";
import { SignatureRefusal } from "./refusal.ts";

/**
 * What an OpenPGP message signed by one of `keyrings` (as `gpg --export` writes them, armored or not) claims. Rejects with SignatureRefusal
 * unless it has exactly one signature, by a key that is in the keyrings, and neither expired nor revoked now: an expired key may be anybody's,
 * and could date its signatures back.
 */
export async function verifySimpleSigning(message: Buffer, keyrings: readonly Buffer[]): Promise<SignedClaim> {
  // Large, and needed by few.
  const openpgp = await import("openpgp");
  const keys = (await Promise.all(keyrings.map((keyring) => keysOf(openpgp, keyring)))).flat();
  let payload: Uint8Array;
  try {
    const config = { maxDecompressedMessageSize: maxSignatureBytes };
    const binaryMessage = new Uint8Array(message);
    const read = await openpgp.readMessage({ binaryMessage, config });
    const { data, signatures } = await openpgp.verify({
      message: read,
      verificationKeys: keys,
      format: "binary",
      config,
    });
    const [signature, ...others] = signatures;
    if (signature === undefined || others.length > 0) {
      throw new SignatureRefusal(`the OpenPGP message has ${signatures.length} signatures, not one`);
    }
    const key = keys.find((each) => each.getKeys(signature.keyID).length > 0);
    if (key === undefined)
      throw new SignatureRefusal(
        `it is signed by the key ${signature.keyID.toHex()}, which is not among the trusted ones`,
      );
    await key.getSigningKey(signature.keyID, new Date());
    await signature.verified;
    payload = data;
  } catch (error) {
    if (error instanceof SignatureRefusal) throw error;
    throw new SignatureRefusal(`the OpenPGP signature is not valid: ${reasonOf(error)}`, { cause: error });
  }
  return parseClaim(payload, claimTypes.simple);
}

type OpenPgp = typeof import("openpgp");

async function keysOf(openpgp: OpenPgp, keyring: Buffer): Promise<Awaited<ReturnType<OpenPgp["readKeys"]>>> {
  const blocks = keyring
    .toString("latin1")
    .match(/-----BEGIN PGP PUBLIC KEY BLOCK-----.*?-----END PGP PUBLIC KEY BLOCK-----/gs);
  try {
    if (blocks === null) return await openpgp.readKeys({ binaryKeys: new Uint8Array(keyring) });
    return (await Promise.all(blocks.map((armoredKeys) => openpgp.readKeys({ armoredKeys })))).flat();
  } catch (error) {
    throw new SignatureRefusal(`a keyring of the policy cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}
