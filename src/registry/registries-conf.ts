import { Fault } from "../base/index.ts";
import { parseToml } from "../config/index.ts";
import {
  isShortName,
  type JsonObject,
  jsonBoolean,
  jsonField,
  jsonList,
  jsonObject,
  jsonText,
  jsonTextMap,
  jsonTexts,
  parseReference,
} from "../oci/index.ts";

export type ShortNameMode = "enforcing" | "permissive" | "disabled";

/** registries.conf (version 2) with its drop-ins, as data. */
export interface RegistriesConfig {
  /** Registries, or registry and namespace, that short names are looked for in, in order. */
  readonly unqualifiedSearchRegistries: readonly string[];
  readonly shortNameMode: ShortNameMode;
  /** One per prefix. */
  readonly registries: readonly RegistryRule[];
  /** Short name to repository in full; without tags. */
  readonly aliases: ReadonlyMap<string, string>;
  /** In order; `containers-auth.json` stands for the auth files, other words for programs `docker-credential-<word>`. */
  readonly credentialHelpers: readonly string[];
}

/** What holds for images whose name begins with `prefix` (`host[:port][/path]`, or `*.domain`). */
export interface RegistryRule {
  readonly prefix: string;
  /** What replaces the prefix; undefined (wildcards only) leaves the name as it is. */
  readonly location: string | undefined;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly MirrorRule[];
  /** The file that says so. */
  readonly file: string;
}

export interface MirrorRule {
  readonly location: string;
  readonly insecure: boolean;
  /** Which references are asked for here. */
  readonly pull: "all" | "digest-only" | "tag-only";
}

/** One file's part; what it does not mention is undefined. */
export interface RegistriesConfPart {
  readonly unqualifiedSearchRegistries: readonly string[] | undefined;
  readonly shortNameMode: ShortNameMode | undefined;
  readonly registries: readonly RegistryRule[];
  /** An empty value takes back the alias of an earlier file. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly credentialHelpers: readonly string[] | undefined;
}

export const authFilesHelper = "containers-auth.json";

/** The configuration of a host that has no registries.conf. */
export const emptyRegistriesConfig: RegistriesConfig = mergeRegistriesConf([]);

/** Reads one registries.conf, drop-in or alias file. Throws Fault("invalid") that names the file and the key. */
export function parseRegistriesConf(text: string, file: string): RegistriesConfPart {
  const table = parseToml(text, file);
  if (jsonField(table, "registries") !== undefined) {
    throw new Fault(
      "invalid",
      `${file}: [registries.…] is the version 1 format; write it as version 2, with [[registry]]`,
    );
  }
  return {
    unqualifiedSearchRegistries: optionalList(table, "unqualified-search-registries", file)?.map((entry) =>
      location(entry, `${file}: unqualified-search-registries`),
    ),
    shortNameMode: shortNameMode(table, file),
    registries: jsonList(table, "registry", file, 10_000).map((entry) => {
      return registryRule(jsonObject(entry, `${file}: registry`), file);
    }),
    aliases: aliases(table, file),
    credentialHelpers: optionalList(table, "credential-helpers", file),
  };
}

/** Later parts win: lists as a whole, registries by prefix, aliases by name. */
export function mergeRegistriesConf(parts: readonly RegistriesConfPart[]): RegistriesConfig {
  const registries = new Map(parts.flatMap((part) => part.registries).map((rule) => [rule.prefix, rule]));
  const names = new Map(parts.flatMap((part) => [...part.aliases]));
  return {
    unqualifiedSearchRegistries: last(parts, (part) => part.unqualifiedSearchRegistries) ?? [],
    shortNameMode: last(parts, (part) => part.shortNameMode) ?? "permissive",
    registries: [...registries.values()],
    aliases: new Map([...names].filter(([, repository]) => repository !== "")),
    credentialHelpers: last(parts, (part) => part.credentialHelpers) ?? [authFilesHelper],
  };
}

function registryRule(table: JsonObject, file: string): RegistryRule {
  const [prefix, place] = [locationAt(table, "prefix", file), locationAt(table, "location", file)];
  const name = prefix ?? place;
  if (name === undefined) throw new Fault("invalid", `${file}: a [[registry]] has neither prefix nor location`);
  const what = `${file}: [[registry]] ${JSON.stringify(name)}`;
  if (place === undefined && !name.startsWith("*.")) {
    throw new Fault("invalid", `${what}: location is not set, and prefix is not of the form *.example.com`);
  }
  if (jsonField(table, "pull-from-mirror") !== undefined) {
    throw new Fault("invalid", `${what}: pull-from-mirror belongs into a [[registry.mirror]]`);
  }
  const digestOnly = jsonBoolean(table, "mirror-by-digest-only", what);
  return {
    prefix: name,
    location: place,
    insecure: jsonBoolean(table, "insecure", what),
    blocked: jsonBoolean(table, "blocked", what),
    mirrors: jsonList(table, "mirror", what, 1000).map((entry) =>
      mirrorRule(jsonObject(entry, what), digestOnly, what),
    ),
    file,
  };
}

function mirrorRule(table: JsonObject, digestOnly: boolean, what: string): MirrorRule {
  const place = locationAt(table, "location", `${what}: mirror`);
  if (place === undefined) throw new Fault("invalid", `${what}: a mirror has no location`);
  const pull = jsonText(table, "pull-from-mirror", what) ?? "";
  if (pull !== "" && digestOnly) {
    throw new Fault("invalid", `${what}: mirror-by-digest-only and a mirror's pull-from-mirror exclude each other`);
  }
  if (pull !== "" && pull !== "all" && pull !== "digest-only" && pull !== "tag-only") {
    const wrong = JSON.stringify(pull.slice(0, 64));
    throw new Fault("invalid", `${what}: pull-from-mirror is ${wrong}; all, digest-only and tag-only are possible`);
  }
  const insecure = jsonBoolean(table, "insecure", `${what}: mirror`);
  return { location: place, insecure, pull: pull !== "" ? pull : digestOnly ? "digest-only" : "all" };
}

function aliases(table: JsonObject, file: string): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const [name, repository] of Object.entries(jsonTextMap(table, "aliases", file))) {
    const what = `${file}: aliases: ${JSON.stringify(name)}`;
    if (/[:@]/.test(name)) throw new Fault("invalid", `${what}: a short name has no tag, digest or port`);
    if (repository !== "" && !isRepository(repository)) {
      throw new Fault("invalid", `${what}: the value must be a repository with its registry, without tag and digest`);
    }
    map.set(name, repository);
  }
  return map;
}

function isRepository(text: string): boolean {
  if (isShortName(text)) return false;
  try {
    const { tag, digest } = parseReference(text);
    return tag === undefined && digest === undefined;
  } catch {
    return false;
  }
}

function shortNameMode(table: JsonObject, file: string): ShortNameMode | undefined {
  const mode = jsonText(table, "short-name-mode", file) ?? "";
  if (mode === "" || mode === "enforcing" || mode === "permissive" || mode === "disabled") return mode || undefined;
  const wrong = JSON.stringify(mode.slice(0, 64));
  throw new Fault("invalid", `${file}: short-name-mode is ${wrong}; enforcing, permissive and disabled are possible`);
}

function optionalList(table: JsonObject, key: string, file: string): readonly string[] | undefined {
  return jsonField(table, key) === undefined ? undefined : jsonTexts(table, key, file, 10_000);
}

function locationAt(table: JsonObject, key: string, what: string): string | undefined {
  const text = jsonText(table, key, what) ?? "";
  return text === "" ? undefined : location(text, `${what}: ${key}`);
}

function location(text: string, what: string): string {
  if (/^https?:\/\//.test(text)) {
    throw new Fault(
      "invalid",
      `${what}: ${JSON.stringify(text)} must be a host, not a URL: leave out http:// or https://`,
    );
  }
  return text.endsWith("/") ? text.slice(0, -1) : text;
}

function last<T>(
  parts: readonly RegistriesConfPart[],
  value: (part: RegistriesConfPart) => T | undefined,
): T | undefined {
  return parts.map(value).findLast((found) => found !== undefined);
}
