/** Turns src/cri/proto/api.proto into TypeScript under src/cri/generated/, by buf and ts-proto. Nothing when it is fresh. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = join(root, "src/cri/generated");
const stamp = join(out, ".inputs");

const codecOptions = [
  "outputServices=generic-definitions",
  "enumsAsLiterals=true",
  "forceLong=bigint",
  "importSuffix=.ts",
  "env=node",
  "esModuleInterop=true",
  "outputJsonMethods=false",
  "useReadonlyTypes=false",
];

const template = {
  version: "v2",
  plugins: [{ local: join(root, "node_modules/.bin/protoc-gen-ts_proto"), out, opt: codecOptions }],
};

export function generate(): void {
  const key = createHash("sha256")
    .update(readFileSync(join(root, "src/cri/proto/api.proto")))
    .update(readFileSync(join(root, "package-lock.json")))
    .update(JSON.stringify(codecOptions))
    .update(readFileSync(fileURLToPath(import.meta.url)))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === key) return;
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  buf("generate", "src/cri/proto", "--template", JSON.stringify(template));
  writeFileSync(join(out, "shapes.ts"), shapes(JSON.parse(buf("build", "src/cri/proto", "-o", "-#format=json"))));
  writeFileSync(stamp, key);
}

function buf(...args: readonly string[]): string {
  return execFileSync(join(root, "node_modules/.bin/buf"), args, {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    maxBuffer: 64 << 20,
    env: { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH}` },
  });
}

/** As much of buf's image in JSON as is looked at: google.protobuf.FileDescriptorSet. */
interface DescriptorSet {
  readonly file: readonly {
    readonly package: string;
    readonly messageType: readonly MessageDescriptor[];
    readonly service: readonly {
      readonly name: string;
      readonly method: readonly { readonly name: string; readonly inputType: string }[];
    }[];
  }[];
}

interface MessageDescriptor {
  readonly name: string;
  readonly field?: readonly { readonly number: number; readonly type: string; readonly typeName?: string }[];
  readonly nestedType?: readonly MessageDescriptor[];
}

/** How each message of a request travels, for the check before it is decoded: its fields by number, and the calls' messages. */
function shapes({ file }: DescriptorSet): string {
  const described = new Map<string, MessageDescriptor>();
  const describe = (message: MessageDescriptor, prefix: string): void => {
    const name = `${prefix}.${message.name}`;
    described.set(name, message);
    for (const nested of message.nestedType ?? []) describe(nested, name);
  };
  for (const { package: name, messageType } of file) for (const message of messageType) describe(message, `.${name}`);

  const messages: Record<string, Record<number, string>> = {};
  const add = (name: string): void => {
    if (messages[name] !== undefined) return;
    const fields = described.get(name)?.field ?? [];
    messages[name] = Object.fromEntries(fields.map(({ number, type, typeName }) => [number, typeName ?? type]));
    for (const { number, type, typeName = "" } of fields) {
      if (type === "TYPE_MESSAGE") add(typeName);
      else messages[name][number] = shapeOf(type);
    }
  };
  const methods = file.flatMap(({ package: name, service }) =>
    service.flatMap((each) =>
      each.method.map((method) => [`/${name}.${each.name}/${method.name}`, method.inputType] as const),
    ),
  );
  for (const [, inputType] of methods) add(inputType);
  return `// Made by scripts/generate.ts.
/** The messages that requests are made of. A field's shape is a message's full name, or how a scalar travels. */
export const messages: Readonly<Record<string, Readonly<Record<number, string>>>> = ${JSON.stringify(messages)};
/** The request message of each call by the call's path. */
export const requests: Readonly<Record<string, string>> = ${JSON.stringify(Object.fromEntries(methods))};
`;
}

function shapeOf(type: string): "string" | "bytes" | "varint" {
  switch (type) {
    case "TYPE_STRING":
      return "string";
    case "TYPE_BYTES":
      return "bytes";
    case "TYPE_DOUBLE":
    case "TYPE_FLOAT":
    case "TYPE_FIXED32":
    case "TYPE_FIXED64":
    case "TYPE_SFIXED32":
    case "TYPE_SFIXED64":
    case "TYPE_GROUP":
      throw new Error(`${type}: no request of CRI had such a field when this was written`);
    default:
      return "varint";
  }
}

if (import.meta.main) generate();
