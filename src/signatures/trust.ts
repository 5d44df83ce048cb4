import type { KeyObject } from "node:crypto";
import { assertNever, Fault } from "../base/index.ts";
import { type Certificate, parseCertificates } from "./certificate.ts";
import { readMaterial } from "./material.ts";
import { parsePublicKey } from "./pem.ts";
import type { Material, Requirement } from "./requirement.ts";

type SigstoreRequirement = Extract<Requirement, { readonly is: "sigstoreSigned" }>;

/** What a `sigstoreSigned` requirement trusts, read from its files. */
export interface SigstoreTrust {
  readonly signer:
    | { readonly is: "keys"; readonly keys: readonly KeyObject[] }
    | {
        readonly is: "fulcio";
        readonly roots: readonly Certificate[];
        readonly oidcIssuer: string;
        readonly subjectEmail: string;
      }
    | {
        readonly is: "pki";
        readonly roots: readonly Certificate[];
        readonly intermediates: readonly Certificate[];
        readonly subjectEmail: string | undefined;
        readonly subjectHostname: string | undefined;
      };
  readonly logKeys: readonly KeyObject[];
}

/** Reads keys and certificates. Rejects with the file that cannot be read, or is not what it must be. */
export async function readSigstoreTrust({ signer, logKeys }: SigstoreRequirement): Promise<SigstoreTrust> {
  return { signer: await readSigner(signer), logKeys: await Promise.all(logKeys.map(readLogKey)) };
}

async function readSigner(signer: SigstoreRequirement["signer"]): Promise<SigstoreTrust["signer"]> {
  switch (signer.is) {
    case "keys":
      return { is: "keys", keys: await Promise.all(signer.keys.map(readKey)) };
    case "fulcio":
      return { ...signer, roots: await readCertificates(signer.roots) };
    case "pki": {
      const { intermediates } = signer;
      return {
        ...signer,
        roots: await readCertificates(signer.roots),
        intermediates: intermediates === undefined ? [] : await readCertificates(intermediates),
      };
    }
    default:
      return assertNever(signer);
  }
}

async function readKey(material: Material): Promise<KeyObject> {
  return parsePublicKey((await readMaterial(material)).toString("latin1"), nameOf(material));
}

async function readLogKey(material: Material): Promise<KeyObject> {
  const key = await readKey(material);
  if (key.asymmetricKeyType === "ec") return key;
  throw new Fault("invalid", `${nameOf(material)}: keys of transparency logs must be ECDSA`);
}

async function readCertificates(material: Material): Promise<readonly Certificate[]> {
  return parseCertificates((await readMaterial(material)).toString("latin1"), nameOf(material));
}

function nameOf(material: Material): string {
  return material.is === "file" ? material.path : "a key or certificate in the signature policy";
}
