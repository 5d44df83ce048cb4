import { Fault } from "../../base/index.ts";

export type BasicCode = "y" | "b" | "n" | "q" | "i" | "u" | "x" | "t" | "d" | "s" | "o" | "g" | "h";

/** A type of the D-Bus specification, chapter "Type System". */
export type DbusType =
  | { readonly is: "basic"; readonly code: BasicCode }
  | { readonly is: "variant" }
  | { readonly is: "array"; readonly element: DbusType }
  | { readonly is: "struct"; readonly fields: readonly DbusType[] }
  | { readonly is: "entry"; readonly key: DbusType; readonly value: DbusType };

const maxLength = 255;
const maxDepth = 32; // of arrays and of structs, each

/** The types that `text` lists, `[]` for an empty one. Throws Fault("corrupt") for anything the specification refuses. */
export function parseSignature(text: string): readonly DbusType[] {
  if (text.length > maxLength) throw refusal(text, `longer than ${maxLength}`);
  const types: DbusType[] = [];
  let at = 0;
  while (at < text.length) {
    const parsed = parseType(text, at, { arrays: 0, structs: 0 });
    types.push(parsed.type);
    at = parsed.end;
  }
  return types;
}

/** The one complete type that `text` is. */
export function parseSingleType(text: string): DbusType {
  const [type, ...rest] = parseSignature(text);
  if (type === undefined || rest.length > 0) throw refusal(text, "not one complete type");
  return type;
}

/** The boundary, in bytes, on which a value of this type begins. */
export function alignmentOf(type: DbusType): 1 | 2 | 4 | 8 {
  switch (type.is) {
    case "variant":
      return 1;
    case "array":
      return 4;
    case "struct":
    case "entry":
      return 8;
    case "basic":
      return basicAlignments[type.code];
  }
}

const basicAlignments: Readonly<Record<BasicCode, 1 | 2 | 4 | 8>> = {
  y: 1,
  g: 1,
  n: 2,
  q: 2,
  b: 4,
  i: 4,
  u: 4,
  s: 4,
  o: 4,
  h: 4,
  x: 8,
  t: 8,
  d: 8,
};

interface Depth {
  readonly arrays: number;
  readonly structs: number;
}

interface Parsed {
  readonly type: DbusType;
  /** Where the next type begins. */
  readonly end: number;
}

function parseType(text: string, at: number, depth: Depth): Parsed {
  const code = text[at] ?? "";
  if (isBasicCode(code)) return { type: { is: "basic", code }, end: at + 1 };
  if (code === "v") return { type: { is: "variant" }, end: at + 1 };
  if (code === "a") return parseArray(text, at + 1, { ...depth, arrays: depth.arrays + 1 });
  if (code === "(") return parseStruct(text, at + 1, { ...depth, structs: depth.structs + 1 });
  throw refusal(text, code === "" ? "it ends too early" : `unknown type ${JSON.stringify(code)}`);
}

function parseArray(text: string, at: number, depth: Depth): Parsed {
  if (depth.arrays > maxDepth) throw refusal(text, "arrays too deep");
  const element = text[at] === "{" ? parseEntry(text, at + 1, depth) : parseType(text, at, depth);
  return { type: { is: "array", element: element.type }, end: element.end };
}

function parseEntry(text: string, at: number, depth: Depth): Parsed {
  const inner = { ...depth, structs: depth.structs + 1 };
  if (inner.structs > maxDepth) throw refusal(text, "structs too deep");
  const key = parseType(text, at, inner);
  if (key.type.is !== "basic") throw refusal(text, "a dictionary key must be a basic type");
  const value = parseType(text, key.end, inner);
  if (text[value.end] !== "}") throw refusal(text, "a dictionary entry has one key and one value");
  return { type: { is: "entry", key: key.type, value: value.type }, end: value.end + 1 };
}

function parseStruct(text: string, at: number, depth: Depth): Parsed {
  if (depth.structs > maxDepth) throw refusal(text, "structs too deep");
  const fields: DbusType[] = [];
  let next = at;
  while (text[next] !== ")") {
    const field = parseType(text, next, depth);
    fields.push(field.type);
    next = field.end;
  }
  if (fields.length === 0) throw refusal(text, "an empty struct");
  return { type: { is: "struct", fields }, end: next + 1 };
}

function isBasicCode(code: string): code is BasicCode {
  return Object.hasOwn(basicAlignments, code);
}

function refusal(text: string, why: string): Fault {
  return new Fault("corrupt", `not a D-Bus signature: ${JSON.stringify(text.slice(0, maxLength))}: ${why}`);
}
