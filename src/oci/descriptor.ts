import { Fault } from "../base/index.ts";
import { type Digest, parseDigest } from "./digest.ts";
import { type JsonObject, jsonField, jsonObject, jsonText, jsonTextMap, jsonTexts } from "./json.ts";
import { type Platform, parsePlatform } from "./platform.ts";

/** A reference to content by its digest and size (OCI image spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes; a safe integer. */
  readonly size: number;
  /** Other places to download from; untrusted. */
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  readonly artifactType?: string;
}

/** A descriptor from JSON. Throws Fault("invalid") when media type, digest or size is missing or malformed. */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  const object = jsonObject(value, what);
  const mediaType = jsonText(object, "mediaType", what);
  if (mediaType === undefined || mediaType === "") throw new Fault("invalid", `${what} has no mediaType`);
  const artifactType = jsonText(object, "artifactType", what);
  const platform = jsonField(object, "platform");
  const urls = jsonTexts(object, "urls", what, 100);
  return {
    mediaType,
    digest: digestOfDescriptor(object, what),
    size: sizeOfDescriptor(object, what),
    ...(urls.length > 0 && { urls }),
    ...(jsonField(object, "annotations") !== undefined && { annotations: jsonTextMap(object, "annotations", what) }),
    ...(platform !== undefined && { platform: parsePlatform(jsonObject(platform, `${what}: platform`), what) }),
    ...(artifactType !== undefined && artifactType !== "" && { artifactType }),
  };
}

function digestOfDescriptor(object: JsonObject, what: string): Digest {
  const text = jsonText(object, "digest", what);
  if (text === undefined) throw new Fault("invalid", `${what} has no digest`);
  try {
    return parseDigest(text);
  } catch (error) {
    throw new Fault("invalid", `${what}: ${error instanceof Fault ? error.message : "invalid digest"}`);
  }
}

function sizeOfDescriptor(object: JsonObject, what: string): number {
  const size = jsonField(object, "size");
  if (typeof size === "number" && Number.isSafeInteger(size) && size >= 0) return size;
  throw new Fault("invalid", `${what} has no valid size: a whole number of bytes is needed`);
}
