/** What requests are made of, read from the API's own definition, so that no field is forgotten. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { createFileRegistry, type DescField, type DescMessage, fromBinary, ScalarType } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { projectRoot } from "../../support/paths.ts";

export type FieldType = "string" | "bytes" | "integer" | "boolean" | "enum" | "message";

export interface Field {
  readonly name: string;
  readonly number: number;
  readonly type: FieldType;
  readonly repeated: boolean;
  /** A map is a repeated message of a key (1) and a value (2). */
  readonly isMap: boolean;
  /** The highest number of an enum, for what is above it. */
  readonly highest: number;
  /** A message's own fields. */
  readonly fields: readonly Field[];
}

export interface Rpc {
  readonly name: string;
  /** `/runtime.v1.RuntimeService/Version`. */
  readonly path: string;
  readonly streams: boolean;
  readonly fields: readonly Field[];
}

/** Every call of both services. */
export async function loadRpcs(): Promise<readonly Rpc[]> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(projectRoot, "node_modules/.bin/buf"), "build", join(projectRoot, "src/cri/proto"), "-o", "-"],
    { encoding: "buffer", maxBuffer: 16 << 20, env: { ...process.env, BUF_CACHE_DIR: "/tmp/buf" } },
  );
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, stdout));
  return [...registry].flatMap((described) =>
    described.kind !== "service"
      ? []
      : described.methods.map((method) => ({
          name: method.name,
          path: `/${described.typeName}/${method.name}`,
          streams: method.methodKind === "server_streaming",
          fields: fieldsOf(method.input),
        })),
  );
}

/** A field of a request by the way to it; all but the last are messages. */
export type Place = readonly Field[];

/** Every field of a message, those of its messages included. */
export function placesOf(fields: readonly Field[], above: Place = []): readonly Place[] {
  return fields.flatMap((field) => {
    const place = [...above, field];
    return [place, ...placesOf(field.fields, place)];
  });
}

export function placeName(place: Place): string {
  return place.map(({ name }) => name).join(".");
}

function fieldsOf(message: DescMessage): readonly Field[] {
  return message.fields.map(fieldOf); // no message of CRI holds itself
}

function fieldOf(field: DescField): Field {
  const { name, number } = field;
  const plain = { name, number, repeated: field.fieldKind === "list", isMap: false, highest: 0, fields: [] };
  switch (field.fieldKind) {
    case "scalar":
      return { ...plain, type: scalarType(field.scalar) };
    case "enum":
      return { ...plain, type: "enum", highest: Math.max(...field.enum.values.map((value) => value.number)) };
    case "message":
      return { ...plain, type: "message", fields: fieldsOf(field.message) };
    case "list":
      if (field.listKind === "message") return { ...plain, type: "message", fields: fieldsOf(field.message) };
      if (field.listKind === "enum") return { ...plain, type: "enum" };
      return { ...plain, type: scalarType(field.scalar) };
    case "map":
      return { ...plain, type: "message", repeated: true, isMap: true, fields: entryFields(field) };
  }
}

function entryFields(field: DescField & { fieldKind: "map" }): readonly Field[] {
  if (field.mapKind !== "scalar") throw new Error(`${field}: a map of something else than scalars`);
  const part = (name: string, number: number, type: ScalarType): Field => ({
    name,
    number,
    type: scalarType(type),
    repeated: false,
    isMap: false,
    highest: 0,
    fields: [],
  });
  return [part("key", 1, field.mapKey), part("value", 2, field.scalar)];
}

function scalarType(type: ScalarType): FieldType {
  switch (type) {
    case ScalarType.STRING:
      return "string";
    case ScalarType.BYTES:
      return "bytes";
    case ScalarType.BOOL:
      return "boolean";
    case ScalarType.INT32:
    case ScalarType.INT64:
    case ScalarType.UINT32:
    case ScalarType.UINT64:
      return "integer";
    default:
      throw new Error(`no request had a field of type ${ScalarType[type]} when this was written`);
  }
}
