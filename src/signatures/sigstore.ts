import { type KeyObject, verify } from "node:crypto";
import { assertNever, reasonOf } from "../base/index.ts";
import type { ImageSignature } from "../oci/index.ts";
import { type Certificate, emailsOf, parseCertificates, requirePath, textExtension } from "./certificate.ts";
import { claimTypes, parseClaim, type SignedClaim } from "./payload.ts";
import { parsePem } from "./pem.ts";
import { SignatureRefusal } from "./refusal.ts";
import { verifyLogEntry } from "./rekor.ts";
import type { SigstoreTrust } from "./trust.ts";

export type SigstoreSignature = Extract<ImageSignature, { readonly is: "sigstore" }>;

/** What cosign calls the type of a signature; its attachments have other things beside them. */
export const sigstoreMediaType = "application/vnd.dev.cosign.simplesigning.v1+json";

const annotation = {
  signature: "dev.cosignproject.cosign/signature",
  logEntry: "dev.sigstore.cosign/bundle",
  certificate: "dev.sigstore.cosign/certificate",
  chain: "dev.sigstore.cosign/chain",
} as const;

/** Fulcio's extensions for who vouched for the login: the older one is bare text, the newer one a DER string. */
const issuerOid = "1.3.6.1.4.1.57264.1.1";
const issuerV2Oid = "1.3.6.1.4.1.57264.1.8";

/** What a sigstore signature claims. Throws SignatureRefusal unless it is by whom `trust` names, and in the log where it asks for one. */
export function verifySigstore(signature: SigstoreSignature, trust: SigstoreTrust): SignedClaim {
  try {
    const bytes = Buffer.from(needed(signature, annotation.signature), "base64");
    const keys = signerKeys(signature, bytes, trust);
    if (!keys.some((key) => isSignedBy(key, signature.payload, bytes))) {
      throw new SignatureRefusal(
        "cryptographic signature verification failed: it was made by another key, or for another payload",
      );
    }
  } catch (error) {
    if (error instanceof SignatureRefusal) throw error;
    throw new SignatureRefusal(reasonOf(error), { cause: error });
  }
  return parseClaim(signature.payload, claimTypes.sigstore);
}

/** The keys that the signature may be made with. */
function signerKeys(signature: SigstoreSignature, bytes: Buffer, trust: SigstoreTrust): readonly KeyObject[] {
  const { signer, logKeys } = trust;
  const seenAt = (keyOrCertificate: Buffer): Date =>
    verifyLogEntry(needed(signature, annotation.logEntry), logKeys, {
      keyOrCertificate,
      signature: bytes,
      payload: signature.payload,
    });
  switch (signer.is) {
    case "keys":
      return logKeys.length === 0 ? signer.keys : [loggedKey(signer.keys, seenAt)];
    case "fulcio": {
      const [leaf, intermediates] = certificatesOf(signature);
      requirePath(leaf, { roots: signer.roots, intermediates, at: seenAt(leaf.x509.raw) });
      requireIssuer(leaf, signer.oidcIssuer);
      requireEmail(leaf, signer.subjectEmail);
      return [leaf.x509.publicKey];
    }
    case "pki": {
      const [leaf, intermediates] = certificatesOf(signature);
      requirePath(leaf, {
        roots: signer.roots,
        intermediates: [...signer.intermediates, ...intermediates],
        at: new Date(),
      });
      if (signer.subjectEmail !== undefined) requireEmail(leaf, signer.subjectEmail);
      if (
        signer.subjectHostname !== undefined &&
        leaf.x509.checkHost(signer.subjectHostname, { subject: "never" }) === undefined
      ) {
        throw new SignatureRefusal(`the certificate is not for the host ${signer.subjectHostname}`);
      }
      return [leaf.x509.publicKey];
    }
    default:
      return assertNever(signer);
  }
}

/** The one of the keys that the log has seen the signature with. */
function loggedKey(keys: readonly KeyObject[], seenAt: (key: Buffer) => Date): KeyObject {
  let failure: unknown;
  for (const key of keys) {
    try {
      seenAt(key.export({ type: "spki", format: "der" }));
      return key;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

function certificatesOf(signature: SigstoreSignature): readonly [Certificate, readonly Certificate[]] {
  const text = needed(signature, annotation.certificate);
  if (parsePem(text, "its certificate").length !== 1) throw new SignatureRefusal("it has more than one certificate");
  const [leaf] = parseCertificates(text, "its certificate");
  if (leaf === undefined) throw new SignatureRefusal("it has no certificate");
  const chain = signature.annotations[annotation.chain] ?? "";
  return [leaf, chain.trim() === "" ? [] : parseCertificates(chain, "its certificate chain")];
}

function requireIssuer(leaf: Certificate, wanted: string): void {
  const older = textExtension(leaf, issuerOid, { encoded: false });
  const newer = textExtension(leaf, issuerV2Oid, { encoded: true });
  if (older !== undefined && newer !== undefined && older !== newer) {
    throw new SignatureRefusal("the certificate names two OIDC issuers");
  }
  const issuer = newer ?? older;
  if (issuer === wanted) return;
  throw new SignatureRefusal(`unexpected Fulcio OIDC issuer ${JSON.stringify((issuer ?? "").slice(0, 200))}`);
}

function requireEmail(leaf: Certificate, wanted: string): void {
  const emails = emailsOf(leaf);
  if (emails.includes(wanted)) return;
  throw new SignatureRefusal(
    `required email ${JSON.stringify(wanted)} not found, the certificate is for ${JSON.stringify(emails).slice(0, 300)}`,
  );
}

function isSignedBy(key: KeyObject, payload: Buffer, signature: Buffer): boolean {
  return verify(key.asymmetricKeyType === "ed25519" ? null : "sha256", payload, key, signature);
}

function needed({ annotations }: SigstoreSignature, name: string): string {
  const value = Object.hasOwn(annotations, name) ? annotations[name] : undefined;
  if (value === undefined || value === "") throw new SignatureRefusal(`missing ${name} annotation`);
  return value;
}
