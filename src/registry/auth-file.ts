import { withStep } from "../base/index.ts";
import {
  type ImageReference,
  type JsonObject,
  jsonField,
  jsonObject,
  jsonText,
  parseJsonObject,
  repositoryText,
} from "../oci/index.ts";
import { type Credential, credentialFromAuth } from "./credential.ts";

/** The largest auth file that is read. */
export const maxAuthFileBytes = 4 * 1024 * 1024;

/** An auth.json, `~/.docker/config.json` or (`legacy`) `~/.dockercfg`. */
export interface AuthFile {
  readonly path: string;
  /** Entries by `host`, `host/namespace` or `host/namespace/repository`; Docker also wrote URLs. Decoded when looked up. */
  readonly auths: ReadonlyMap<string, unknown>;
  /** Credential helper by host. */
  readonly helpers: ReadonlyMap<string, string>;
  /** The helper for everything else. */
  readonly defaultHelper: string | undefined;
}

export type AuthFileAnswer =
  | { readonly is: "credential"; readonly credential: Credential }
  | { readonly is: "helper"; readonly helper: string };

/** Reads an auth file. Throws Fault("invalid") that names the file and quotes none of it. */
export function parseAuthFile(bytes: Uint8Array, path: string, options: { readonly legacy: boolean }): AuthFile {
  const what = `auth file ${path}`;
  const body = parseJsonObject(bytes, what, maxAuthFileBytes);
  if (options.legacy) return { path, auths: ownEntries(body), helpers: new Map(), defaultHelper: undefined };
  const helpers = section(body, "credHelpers", what);
  return {
    path,
    auths: ownEntries(section(body, "auths", what)),
    helpers: new Map(Object.keys(helpers).map((host) => [host, jsonText(helpers, host, `${what}: credHelpers`) ?? ""])),
    defaultHelper: jsonText(body, "credsStore", what) || undefined,
  };
}

/**
 * What the file has for an image: a helper for its host, the entry with the most specific key (repository, namespace, host),
 * or an entry whose key is a URL of the host. Throws Fault("invalid") when the entry cannot be decoded.
 */
export function lookUpAuth(file: AuthFile, reference: ImageReference): AuthFileAnswer | undefined {
  const host = reference.domain;
  const helper = file.helpers.get(host);
  if (helper !== undefined && helper !== "") return { is: "helper", helper };
  for (const key of keysOf(reference)) {
    if (file.auths.has(key)) return decoded(file, key);
  }
  const wanted = hubOr(host);
  const url = [...file.auths.keys()].find((key) => hostOfKey(key) === wanted);
  return url === undefined ? undefined : decoded(file, url);
}

function decoded(file: AuthFile, key: string): AuthFileAnswer | undefined {
  const what = `auth file ${file.path}: the entry of ${JSON.stringify(key.slice(0, 255))}`;
  try {
    const credential = credentialOfEntry(jsonObject(file.auths.get(key) ?? {}, what), what);
    return credential === undefined ? undefined : { is: "credential", credential };
  } catch (error) {
    throw withStep("looking up registry credentials", error);
  }
}

function credentialOfEntry(entry: JsonObject, what: string): Credential | undefined {
  const text = (key: string) => jsonText(entry, key, what) ?? "";
  const [username, password, identityToken] = [text("username"), text("password"), text("identitytoken")];
  const fields = username === "" ? undefined : { username, password };
  const credential = credentialFromAuth(text("auth"), `${what}: auth`) ?? fields;
  if (identityToken === "") return credential;
  return { ...(credential ?? { username: "", password: "" }), identityToken };
}

/** `host/a/b`, `host/a`, `host` */
function keysOf(reference: ImageReference): readonly string[] {
  const parts = repositoryText(reference).split("/");
  return parts.map((_, index) => parts.slice(0, parts.length - index).join("/"));
}

function hostOfKey(key: string): string {
  return hubOr(/^(?:https?:\/\/)?([^/]*)/.exec(key)?.[1] ?? "");
}

/** Docker Hub has gone by three names. */
function hubOr(host: string): string {
  return host === "docker.io" || host === "registry-1.docker.io" ? "index.docker.io" : host;
}

function section(body: JsonObject, key: string, what: string): JsonObject {
  return jsonObject(jsonField(body, key) ?? {}, `${what}: ${key}`);
}

function ownEntries(object: JsonObject): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(object));
}
