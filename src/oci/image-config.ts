import { Fault } from "../base/index.ts";
import { type Digest, parseDigest } from "./digest.ts";
import {
  type JsonObject,
  jsonField,
  jsonKeys,
  jsonList,
  jsonObject,
  jsonText,
  jsonTextMap,
  jsonTexts,
  parseJsonObject,
} from "./json.ts";
import type { ImageManifest } from "./manifest.ts";
import { type Platform, parsePlatform } from "./platform.ts";

/** The largest image config that is read. */
export const maxImageConfigBytes = 8 * 1024 * 1024;

/** An image's config (OCI image spec, config.md; Docker's image JSON). All of it is the image author's word, nothing more. */
export interface ImageConfig extends Platform {
  /** RFC 3339 as written, unchecked. */
  readonly created?: string;
  readonly author?: string;
  readonly config: ImageRunConfig;
  readonly rootfs: { readonly diffIds: readonly Digest[] };
  readonly history: readonly ImageHistory[];
}

/** How to run it. What the image leaves out is "" or empty. */
export interface ImageRunConfig {
  readonly User: string;
  /** `80/tcp` */
  readonly ExposedPorts: readonly string[];
  /** `NAME=value` */
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  /** Paths in the container. */
  readonly Volumes: readonly string[];
  readonly WorkingDir: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly StopSignal: string;
}

export interface ImageHistory {
  readonly created?: string;
  readonly createdBy?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly emptyLayer: boolean;
}

/** Reads an image config. Absent and null fields are empty; a wrong type or a malformed diff id is a Fault("invalid"). */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const what = "the image config";
  const body = parseJsonObject(bytes, what, maxImageConfigBytes);
  return {
    ...optionalText(body, "created", "created", what),
    ...optionalText(body, "author", "author", what),
    ...parsePlatform(body, what),
    config: runConfig(section(body, "config", what)),
    rootfs: { diffIds: diffIds(section(body, "rootfs", what)) },
    history: jsonList(body, "history", what, 10_000).map(historyEntry),
  };
}

/**
 * Refuses an image whose config and manifest disagree on the number of layers: one of them would be unpacked unverified.
 * Throws Fault("corrupt").
 */
export function checkLayersMatch(manifest: ImageManifest, config: ImageConfig): void {
  const [layers, diffIdCount] = [manifest.layers.length, config.rootfs.diffIds.length];
  if (layers !== diffIdCount) {
    throw new Fault("corrupt", `the manifest has ${layers} layers, the image config ${diffIdCount} diff ids`);
  }
}

/** The config as the OCI image spec writes it, empty fields left out: what is shown in verbose image status. */
export function imageConfigJson(image: ImageConfig): JsonObject {
  const { User, ExposedPorts, Env, Entrypoint, Cmd, Volumes, WorkingDir, Labels, StopSignal } = image.config;
  return filled({
    created: image.created,
    author: image.author,
    architecture: image.architecture,
    "os.version": image.osVersion,
    os: image.os,
    variant: image.variant,
    config: filled({
      User,
      ExposedPorts: goSet(ExposedPorts),
      Env,
      Entrypoint,
      Cmd,
      Volumes: goSet(Volumes),
      WorkingDir,
      Labels,
      StopSignal,
    }),
    rootfs: { type: "layers", diff_ids: image.rootfs.diffIds },
    history: image.history.map((entry) =>
      filled({
        created: entry.created,
        created_by: entry.createdBy,
        author: entry.author,
        comment: entry.comment,
        empty_layer: entry.emptyLayer ? true : undefined,
      }),
    ),
  });
}

function runConfig(config: JsonObject): ImageRunConfig {
  const what = "the image config's config";
  const text = (key: string) => jsonText(config, key, what) ?? "";
  return {
    User: text("User"),
    ExposedPorts: jsonKeys(config, "ExposedPorts", what),
    Env: jsonTexts(config, "Env", what),
    Entrypoint: words(config, "Entrypoint", what),
    Cmd: words(config, "Cmd", what),
    Volumes: jsonKeys(config, "Volumes", what),
    WorkingDir: text("WorkingDir"),
    Labels: jsonTextMap(config, "Labels", what),
    StopSignal: text("StopSignal"),
  };
}

/** Docker once wrote a single word as a string. */
function words(config: JsonObject, key: string, what: string): readonly string[] {
  const value = jsonField(config, key);
  return typeof value === "string" ? [jsonText(config, key, what) ?? ""] : jsonTexts(config, key, what);
}

function diffIds(rootfs: JsonObject): readonly Digest[] {
  const what = "the image config's rootfs";
  const type = jsonText(rootfs, "type", what) ?? "layers";
  if (type !== "layers" && type !== "") {
    throw new Fault("invalid", `${what} is of the unknown type ${JSON.stringify(type.slice(0, 64))}`);
  }
  return jsonTexts(rootfs, "diff_ids", what, 2_000).map(parseDigest);
}

function historyEntry(value: unknown): ImageHistory {
  const what = "the image config's history";
  const entry = jsonObject(value, what);
  return {
    ...optionalText(entry, "created", "created", what),
    ...optionalText(entry, "created_by", "createdBy", what),
    ...optionalText(entry, "author", "author", what),
    ...optionalText(entry, "comment", "comment", what),
    emptyLayer: jsonField(entry, "empty_layer") === true,
  };
}

function section(body: JsonObject, key: string, what: string): JsonObject {
  return jsonObject(jsonField(body, key) ?? {}, `${what}: ${key}`);
}

function optionalText<K extends string>(object: JsonObject, key: string, as: K, what: string): { [P in K]?: string } {
  const text = jsonText(object, key, what);
  const found: { [P in K]?: string } = {};
  if (text !== undefined && text !== "") found[as] = text;
  return found;
}

function goSet(keys: readonly string[]): JsonObject {
  const set: Record<string, unknown> = Object.create(null);
  for (const key of keys) set[key] = {};
  return set;
}

/** Without what Go's `omitempty` leaves out. */
function filled(object: JsonObject): JsonObject {
  const isEmpty = (value: unknown) =>
    value === undefined || value === "" || (Array.isArray(value) && value.length === 0) || isEmptyMap(value);
  return Object.fromEntries(Object.entries(object).filter(([key, value]) => key === "config" || !isEmpty(value)));
}

function isEmptyMap(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}
