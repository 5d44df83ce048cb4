import { Fault } from "../base/index.ts";
import { type Descriptor, parseDescriptor } from "./descriptor.ts";
import { type JsonObject, jsonField, jsonList, jsonText, jsonTextMap, parseJsonObject } from "./json.ts";
import {
  isIndexMediaType,
  isManifestMediaType,
  isSchema1MediaType,
  type ManifestMediaType,
  manifestMediaTypes,
} from "./media-types.ts";

/** The largest manifest that is read; registries refuse larger ones too. */
export const maxManifestBytes = 4 * 1024 * 1024;
const maxIndexEntries = 10_000;
const maxLayers = 2_000;

interface ManifestCommon {
  /** One of the four types; a body without one gets that of the Content-Type. */
  readonly mediaType: ManifestMediaType;
  readonly annotations: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly subject?: Descriptor;
}

/** An image for one platform, or an artifact: its config and its layers, lowest first. There may be no layers. */
export interface ImageManifest extends ManifestCommon {
  readonly is: "image";
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** A list of manifests, usually one per platform. */
export interface IndexManifest extends ManifestCommon {
  readonly is: "index";
  readonly entries: readonly Descriptor[];
}

export type Manifest = ImageManifest | IndexManifest;

/**
 * Reads an OCI image manifest or index, or Docker's schema 2 manifest or list.
 *
 * `mediaType` is the Content-Type it came with, if any. It must agree with the body's own `mediaType`, and the body's fields
 * with both: a document that could be read as a manifest and as an index is refused, since signatures cover bytes, not
 * readings (GHSA-5j5w-g665-5m35). The caller has checked the digest before. Throws Fault("invalid" | "exhausted"), and
 * Fault("unimplemented") for schema 1.
 */
export function parseManifest(bytes: Uint8Array, mediaType: string | undefined): Manifest {
  const body = parseJsonObject(bytes, "the manifest", maxManifestBytes);
  const type = agreedMediaType(body, essence(mediaType));
  const artifactType = jsonText(body, "artifactType", "the manifest");
  const subject = jsonField(body, "subject");
  const common = {
    mediaType: type,
    annotations: jsonTextMap(body, "annotations", "the manifest"),
    ...(artifactType !== undefined && artifactType !== "" && { artifactType }),
    ...(subject !== undefined && { subject: parseDescriptor(subject, "the manifest's subject") }),
  };
  return isIndexMediaType(type)
    ? { is: "index", ...common, entries: descriptors(body, "manifests", maxIndexEntries) }
    : {
        is: "image",
        ...common,
        config: parseDescriptor(jsonField(body, "config"), "the manifest's config"),
        layers: descriptors(body, "layers", maxLayers),
      };
}

function agreedMediaType(body: JsonObject, header: string | undefined): ManifestMediaType {
  const own = jsonText(body, "mediaType", "the manifest");
  refuseSchema1(body, own, header);
  const shape = shapeOf(body);
  const named = own !== undefined && own !== "" ? own : header;
  const type = named ?? (shape === "index" ? manifestMediaTypes.ociIndex : manifestMediaTypes.ociImage);
  if (!isManifestMediaType(type)) throw new Fault("invalid", `unsupported manifest media type ${quoted(type)}`);
  if (header !== undefined && header !== type) {
    throw new Fault("invalid", `the manifest says it is ${quoted(type)}, its Content-Type says ${quoted(header)}`);
  }
  if (isIndexMediaType(type) !== (shape === "index")) {
    throw new Fault("invalid", `the manifest says it is ${quoted(type)}, but its fields are those of an ${shape}`);
  }
  return type;
}

function refuseSchema1(body: JsonObject, own: string | undefined, header: string | undefined): void {
  const version = jsonField(body, "schemaVersion");
  const isOld = version === 1 || [own, header].some((type) => type !== undefined && isSchema1MediaType(type));
  if (isOld) {
    throw new Fault(
      "unimplemented",
      "the image has a Docker schema 1 manifest, a format no longer supported: push it again with a current tool",
    );
  }
  if (version !== 2) throw new Fault("invalid", "the manifest's schemaVersion is not 2");
}

function shapeOf(body: JsonObject): "index" | "image" {
  const has = (key: string) => jsonField(body, key) !== undefined;
  const asImage = has("config") || has("layers");
  if (has("fsLayers") || has("history")) throw new Fault("invalid", "the manifest mixes schema 1 and schema 2 fields");
  if (has("manifests") && asImage) {
    throw new Fault("invalid", "the manifest is ambiguous: it has the fields of an image and of an index");
  }
  if (has("manifests")) return "index";
  if (has("config")) return "image";
  throw new Fault("invalid", "the manifest has neither a config nor a list of manifests");
}

/** The type without parameters; undefined where a server gives none of meaning, as some do. */
function essence(mediaType: string | undefined): string | undefined {
  const type = mediaType?.split(";", 1)[0]?.trim().toLowerCase();
  const isVague =
    type === "" || type === "application/json" || type === "text/plain" || type === "application/octet-stream";
  return isVague ? undefined : type;
}

function descriptors(body: JsonObject, key: string, max: number): readonly Descriptor[] {
  return jsonList(body, key, "the manifest", max).map((entry, at) =>
    parseDescriptor(entry, `the manifest's ${key}[${at}]`),
  );
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 128));
}
