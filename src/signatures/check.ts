import { assertNever, Fault, reasonOf } from "../base/index.ts";
import { digestAlgorithm, digestOf, type ImageReference, type ImageSignature, referenceText } from "../oci/index.ts";
import { acceptsIdentity, type SignedIdentity } from "./identity.ts";
import { readMaterial } from "./material.ts";
import type { SignedClaim } from "./payload.ts";
import { requirementsFor, type SignaturePolicy } from "./policy.ts";
import { SignatureRefusal } from "./refusal.ts";
import type { Requirement } from "./requirement.ts";
import { verifySimpleSigning } from "./simple-signing.ts";

/** An image whose signatures are looked at. */
export interface SignedImage {
  /** The name it was asked for by: the one that must have been signed. */
  readonly reference: ImageReference;
  /** The manifest for this machine, which signatures are for. */
  readonly manifest: Uint8Array;
  readonly signatures: readonly ImageSignature[];
}

/** Rejects with SignatureRefusal unless the image meets all that the policy asks for its name. */
export async function requireTrusted(policy: SignaturePolicy, image: SignedImage): Promise<void> {
  for (const requirement of requirementsFor(policy, image.reference)) {
    try {
      await requireMet(requirement, image);
    } catch (error) {
      // A key that cannot be read is the policy's fault; the image is not used all the same.
      const message = `${referenceText(image.reference)}: ${reasonOf(error)} (by the policy ${policy.path})`;
      throw new SignatureRefusal(message, { cause: error });
    }
  }
}

async function requireMet(requirement: Requirement, image: SignedImage): Promise<void> {
  switch (requirement.is) {
    case "insecureAcceptAnything":
      return;
    case "reject":
      throw new SignatureRefusal("running the image is rejected by policy");
    case "signedBaseLayer":
      throw new SignatureRefusal("the policy asks for signedBaseLayer, which nobody implements");
    case "signedBy": {
      if (requirement.keyType !== "GPGKeys")
        throw new SignatureRefusal(`the keyType ${requirement.keyType} is not implemented`);
      const keyrings = await Promise.all(requirement.keys.map(readMaterial));
      const simple = image.signatures.flatMap((each) => (each.is === "simple" ? [each.bytes] : []));
      await requireOne(image, requirement.identity, simple, (bytes) => verifySimpleSigning(bytes, keyrings));
      return;
    }
    case "sigstoreSigned": {
      // Few policies ask for it, and it brings a library along.
      const [{ sigstoreMediaType, verifySigstore }, { readSigstoreTrust }] = await Promise.all([
        import("./sigstore.ts"),
        import("./trust.ts"),
      ]);
      const trust = await readSigstoreTrust(requirement);
      const ours = image.signatures.flatMap((each) =>
        each.is === "sigstore" && each.mediaType === sigstoreMediaType ? [each] : [],
      );
      await requireOne(image, requirement.identity, ours, async (signature) => verifySigstore(signature, trust));
      return;
    }
    default:
      assertNever(requirement);
  }
}

/** One good signature is enough, however many others there are. */
async function requireOne<T>(
  image: SignedImage,
  identity: SignedIdentity,
  signatures: readonly T[],
  verified: (signature: T) => Promise<SignedClaim>,
): Promise<void> {
  const why: string[] = [];
  for (const signature of signatures) {
    try {
      requireClaim(image, identity, await verified(signature));
      return;
    } catch (error) {
      why.push(reasonOf(error));
    }
  }
  if (why.length > 1)
    throw new SignatureRefusal(`none of the signatures were accepted, reasons: ${why.slice(0, 10).join("; ")}`);
  if (why.length === 1) throw new SignatureRefusal(why[0] ?? "");
  const others = image.signatures.length;
  const beside = others === 0 ? "" : ` of the kind that the policy asks for (${others} of another kind)`;
  throw new SignatureRefusal(`a signature was required, but no signature exists${beside}`);
}

function requireClaim({ reference, manifest }: SignedImage, identity: SignedIdentity, claim: SignedClaim): void {
  if (!acceptsIdentity(identity, reference, claim.dockerReference)) {
    throw new SignatureRefusal(
      `signature for identity ${JSON.stringify(claim.dockerReference.slice(0, 300))} is not accepted`,
    );
  }
  const actual = digestOf(manifest, digestAlgorithm(claim.manifestDigest));
  if (actual !== claim.manifestDigest) {
    throw new Fault(
      "denied",
      `signature for docker digest ${claim.manifestDigest} does not match: the manifest is ${actual}`,
    );
  }
}
