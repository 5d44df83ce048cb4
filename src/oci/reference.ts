import { Fault } from "../base/index.ts";
import { type Digest, isDigest } from "./digest.ts";

/**
 * The name of an image, always in full: `busybox` is `docker.io/library/busybox`. The grammar is that of
 * distribution/reference. Without tag and digest it names a repository.
 */
export interface ImageReference {
  /** Host with optional port: `registry.example.com:5000`, `[::1]:5000`. Letters keep their case. */
  readonly domain: string;
  /** At most 255 characters, lower case. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const maxPathLength = 255;
const domainComponent = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const host = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])`;
const domainGrammar = new RegExp(`^${host}(?::[0-9]+)?$`);
const pathComponent = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagGrammar = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * `[domain/]path[:tag][@digest]` as a reference. A missing domain becomes docker.io, a single component there
 * `library/<name>`; no tag is added. Throws Fault("invalid"), also for 64 hex digits, which are an id.
 */
export function parseReference(text: string): ImageReference {
  if (text.length > 1024) throw invalid(text, "too long");
  if (/^[a-f0-9]{64}$/.test(text)) throw invalid(text, "64 hex digits are an id, not a name");
  const { name, tag, digest } = splitSuffixes(text);
  const { domain, path } = splitDomain(name);
  if (!domainGrammar.test(domain)) throw invalid(text, `${quoted(domain)} is not a registry host`);
  checkPath(text, path);
  if (tag !== undefined && !tagGrammar.test(tag)) throw invalid(text, "the tag is not valid");
  if (digest !== undefined && !isDigest(digest)) throw invalid(text, "the digest is not valid");
  return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** Whether `text` names no registry, so that registries.conf decides where it is looked for. */
export function isShortName(text: string): boolean {
  const slash = text.indexOf("/");
  return slash < 0 || !isDomain(text.slice(0, slash));
}

/** The reference with the tag `latest` when it has neither tag nor digest. */
export function withDefaultTag(reference: ImageReference): ImageReference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: "latest" } : reference;
}

/** `docker.io/library/busybox:1.36@sha256:…`, of what the reference has. */
export function referenceText(reference: ImageReference): string {
  const { tag, digest } = reference;
  return `${repositoryText(reference)}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** `docker.io/library/busybox` */
export function repositoryText(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}`;
}

interface Parts {
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

function splitSuffixes(text: string): Parts {
  const at = text.indexOf("@");
  const before = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : text.slice(at + 1);
  // a colon before the last slash belongs to the port
  const colon = before.indexOf(":", before.lastIndexOf("/") + 1);
  return colon < 0
    ? { name: before, tag: undefined, digest }
    : { name: before.slice(0, colon), tag: before.slice(colon + 1), digest };
}

function splitDomain(name: string): { readonly domain: string; readonly path: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  if (slash < 0 || !(isDomain(first) || first !== first.toLowerCase())) return inDockerHub(name);
  const path = name.slice(slash + 1);
  return first === "docker.io" || first === "index.docker.io" ? inDockerHub(path) : { domain: first, path };
}

function inDockerHub(path: string): { readonly domain: string; readonly path: string } {
  return { domain: "docker.io", path: path.includes("/") ? path : `library/${path}` };
}

function isDomain(text: string): boolean {
  return text === "localhost" || text.includes(".") || text.includes(":");
}

function checkPath(text: string, path: string): void {
  if (path.length > maxPathLength)
    throw invalid(text, `the repository name is longer than ${maxPathLength} characters`);
  if (path !== path.toLowerCase()) throw invalid(text, "the repository name must be lowercase");
  if (!path.split("/").every((component) => pathComponent.test(component))) {
    throw invalid(text, "the repository name is not valid");
  }
}

function invalid(text: string, why: string): Fault {
  return new Fault("invalid", `invalid reference format: ${quoted(text)}: ${why}`);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
}
