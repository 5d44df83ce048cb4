import { X509Certificate } from "node:crypto";
import { X509Certificate as ParsedCertificate } from "@sigstore/core";
import { Fault, reasonOf } from "../base/index.ts";
import { parsePem } from "./pem.ts";

/** A certificate, by OpenSSL and by a parser that shows its extensions. */
export interface Certificate {
  readonly x509: X509Certificate;
  readonly parsed: ParsedCertificate;
}

type Extension = NonNullable<ReturnType<ParsedCertificate["extension"]>>;

/** X.509v3 extensions whose meaning is heeded; a critical one besides them makes a certificate unusable. */
const heeded: ReadonlySet<string> = new Set([
  "2.5.29.14", // subject key identifier
  "2.5.29.15", // key usage
  "2.5.29.17", // subject alternative name
  "2.5.29.19", // basic constraints
  "2.5.29.35", // authority key identifier
  "2.5.29.37", // extended key usage
]);
const nameConstraints = "2.5.29.30";

const codeSigning = "1.3.6.1.5.5.7.3.3";
const anyUsage = "2.5.29.37.0";
const maxPathLength = 8;
/** How many signatures are looked at for one leaf: many certificates may have one name. */
const maxVerifications = 200;

/** Throws Fault("invalid"). */
export function parseCertificates(text: string, what: string): readonly Certificate[] {
  return parsePem(text, what).map(({ label, der }) => {
    if (label !== "CERTIFICATE")
      throw new Fault("invalid", `${what} has a PEM block ${JSON.stringify(label)} beside certificates`);
    try {
      return { x509: new X509Certificate(der), parsed: ParsedCertificate.parse(Buffer.from(der)) };
    } catch (error) {
      throw new Fault("invalid", `${what}: ${reasonOf(error)}`, { cause: error });
    }
  });
}

export interface PathOptions {
  readonly roots: readonly Certificate[];
  /** Untrusted. */
  readonly intermediates: readonly Certificate[];
  /** When all of the path must be valid. */
  readonly at: Date;
}

/**
 * Requires a path from `leaf`, a certificate for signing code, to one of the roots (RFC 5280, section 6, without policies; authorities with
 * name constraints are refused, since these are not looked at). Throws Fault("denied").
 */
export function requirePath(leaf: Certificate, { roots, intermediates, at }: PathOptions): void {
  const why: string[] = [];
  let left = maxVerifications;
  const isSignedBy = (certificate: Certificate, issuer: Certificate): boolean => {
    if (!certificate.x509.checkIssued(issuer.x509)) return false;
    left -= 1;
    if (left < 0) throw new Fault("denied", "too many certificates to look at");
    return certificate.x509.verify(issuer.x509.publicKey);
  };
  const reaches = (certificate: Certificate, below: readonly Certificate[]): boolean => {
    const problem =
      problemOf(certificate, at) ?? (below.length > 0 ? problemOfAuthority(certificate, below.length - 1) : undefined);
    if (problem !== undefined) {
      why.push(`${subjectOf(certificate)}: ${problem}`);
      return false;
    }
    if (roots.some((root) => root.x509.raw.equals(certificate.x509.raw))) return true;
    if (below.length >= maxPathLength) return false;
    const path = [...below, certificate];
    const isNew = (issuer: Certificate) => !path.some(({ x509 }) => x509.raw.equals(issuer.x509.raw));
    return [...roots, ...intermediates].some(
      (issuer) => isNew(issuer) && isSignedBy(certificate, issuer) && reaches(issuer, path),
    );
  };
  if (!reaches(leaf, [])) {
    const reasons = why.length === 0 ? "no path leads to a trusted authority" : why.slice(0, 5).join("; ");
    throw new Fault("denied", `the certificate of ${subjectOf(leaf)} is not trusted: ${reasons}`);
  }
}

/** The value of an extension as text; `encoded`: as a DER string. Undefined when there is none. Throws when it is there twice. */
export function textExtension(
  certificate: Certificate,
  oid: string,
  { encoded }: { readonly encoded: boolean },
): string | undefined {
  const [found, ...others] = extensionsOf(certificate).filter((extension) => extension.oid === oid);
  if (others.length > 0) throw new Fault("denied", `the certificate has the extension ${oid} twice`);
  if (found === undefined) return undefined;
  if (!encoded) return found.value.toString("utf8");
  const [text] = found.valueObj.subs;
  if (text === undefined) throw new Fault("denied", `the extension ${oid} of the certificate has no value`);
  return text.value.toString("utf8");
}

/** The mail addresses of the subject alternative name. */
export function emailsOf(certificate: Certificate): readonly string[] {
  const name = extensionsOf(certificate).find(({ oid }) => oid === "2.5.29.17");
  const entries = name?.valueObj.subs[0]?.subs ?? [];
  return entries.filter(({ tag }) => tag.isContextSpecific(1)).map(({ value }) => value.toString("latin1"));
}

function problemOf(certificate: Certificate, at: Date): string | undefined {
  const { x509, parsed } = certificate;
  if (at < parsed.notBefore) return `it is not valid before ${parsed.notBefore.toISOString()}`;
  if (at > parsed.notAfter) return `it has expired at ${parsed.notAfter.toISOString()}`;
  const extensions = extensionsOf(certificate);
  const oids = extensions.map(({ oid }) => oid);
  if (new Set(oids).size !== oids.length) return "it has an extension twice";
  if (oids.includes(nameConstraints)) return "it has name constraints, which are not supported";
  const unknown = extensions.find(({ oid, critical }) => critical && !heeded.has(oid));
  if (unknown !== undefined) return `it has the critical extension ${unknown.oid}, which is not known`;
  if (/sha1|md5|md2/i.test(x509.signatureAlgorithm ?? "")) return `it is signed with ${x509.signatureAlgorithm}`;
  const usages = x509.keyUsage as readonly string[] | undefined; // the extended ones, by OID
  if (usages !== undefined && !usages.includes(codeSigning) && !usages.includes(anyUsage))
    return "it is not for signing code";
  return undefined;
}

function problemOfAuthority({ parsed }: Certificate, authoritiesBelow: number): string | undefined {
  const constraints = parsed.extBasicConstraints;
  if (constraints?.isCA !== true) return "it is not an authority";
  const limit = constraints.pathLenConstraint;
  if (limit !== undefined && BigInt(authoritiesBelow) > limit) return "it has more authorities below it than it allows";
  if (parsed.extKeyUsage?.keyCertSign === false) return "its key is not for signing certificates";
  return undefined;
}

function extensionsOf({ parsed }: Pick<Certificate, "parsed">): readonly Extension[] {
  return parsed.extensions.flatMap((each) => {
    const oid = each.subs[0]?.toOID() ?? "";
    const found = parsed.extension(oid);
    return found === undefined ? [] : [found];
  });
}

function subjectOf({ x509 }: Certificate): string {
  return JSON.stringify((x509.subject || x509.subjectAltName || "no name").replaceAll("\n", ", ").slice(0, 200));
}
