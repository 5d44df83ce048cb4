import { Fault, parseGoRegExp } from "../../base/index.ts";
import {
  type Hook,
  type Hooks,
  type JsonObject,
  jsonBoolean,
  jsonField,
  jsonObject,
  jsonText,
  jsonTextMap,
  jsonTexts,
  parseJsonObject,
} from "../../oci/index.ts";

/** A hook of the node, and the containers it is for. */
export interface HookRule {
  readonly hook: Hook;
  /** Lists of the spec that it goes into. */
  readonly stages: readonly (keyof Hooks)[];
  readonly when: HookConditions;
}

export interface HookConditions {
  /** Absent: says nothing. */
  readonly always?: boolean;
  readonly hasBindMounts?: boolean;
  /** Each has to match the name and the value of one annotation. */
  readonly annotations: readonly { readonly name: RegExp; readonly value: RegExp }[];
  /** One of them has to match the program. */
  readonly commands: readonly RegExp[];
  /** One of the conditions is enough, as in the older files; otherwise all have to hold. */
  readonly isAnyEnough: boolean;
}

export const maxHookFileBytes = 1 << 20;

const stageLists: Readonly<Record<string, keyof Hooks>> = {
  createContainer: "createContainer",
  createRuntime: "createRuntime",
  // The runtime specification has given the old stage up; it ran at the same moment.
  prestart: "createRuntime",
  poststart: "poststart",
  poststop: "poststop",
  startContainer: "startContainer",
};

/** A file of a hooks directory (oci-hooks(5)), in version 1.0.0 or in 0.1.0, which may go unsaid. Rejects with Fault("invalid" or "exhausted"). */
export function parseHookFile(bytes: Uint8Array): HookRule {
  const file = parseJsonObject(bytes, "hook", maxHookFileBytes);
  const version = jsonText(file, "version", "hook") ?? "";
  if (version === "1.0.0") return currentRule(file);
  if (version === "0.1.0" || version === "") return olderRule(file);
  throw new Fault("invalid", `unrecognized hook version: ${JSON.stringify(version)}`);
}

function currentRule(file: JsonObject): HookRule {
  const hook = jsonObject(jsonField(file, "hook"), "hook");
  const when = jsonObject(jsonField(file, "when") ?? {}, "hook: when");
  const timeout = jsonField(hook, "timeout");
  if (timeout !== undefined && (!Number.isSafeInteger(timeout) || Number(timeout) <= 0)) {
    throw new Fault("invalid", "hook: timeout is not a number of seconds above 0");
  }
  const env = jsonTexts(hook, "env", "hook", 1000);
  const args = jsonTexts(hook, "args", "hook", 1000);
  return {
    hook: {
      path: checkedPath(jsonText(hook, "path", "hook")),
      ...(args.length === 0 ? {} : { args }),
      ...(env.length === 0 ? {} : { env }),
      ...(timeout === undefined ? {} : { timeout: Number(timeout) }),
    },
    stages: stagesOf(jsonTexts(file, "stages", "hook", 100)),
    when: {
      ...optionalFlag(when, "always"),
      ...optionalFlag(when, "hasBindMounts"),
      annotations: Object.entries(jsonTextMap(when, "annotations", "hook")).map(([name, value]) => ({
        name: parseGoRegExp(name),
        value: parseGoRegExp(value),
      })),
      commands: jsonTexts(when, "commands", "hook", 1000).map(parseGoRegExp),
      isAnyEnough: false,
    },
  };
}

function olderRule(file: JsonObject): HookRule {
  const path = checkedPath(jsonText(file, "hook", "hook"));
  const args = jsonTexts(file, "arguments", "hook", 1000);
  const values = oneOrMore(file, "annotation", "annotations");
  return {
    hook: { path, ...(args.length === 0 ? {} : { args: [path, ...args] }) },
    stages: stagesOf(oneOrMore(file, "stage", "stages")),
    when: {
      ...optionalFlag(file, "hasbindmounts", "hasBindMounts"),
      annotations: values.map((value) => ({ name: /(?:)/, value: parseGoRegExp(value) })),
      commands: oneOrMore(file, "cmd", "cmds").map(parseGoRegExp),
      isAnyEnough: true,
    },
  };
}

function checkedPath(path: string | undefined): string {
  if (path?.startsWith("/")) return path;
  throw new Fault("invalid", `hook: path ${JSON.stringify(path ?? "")} is not absolute`);
}

function stagesOf(names: readonly string[]): readonly (keyof Hooks)[] {
  if (names.length === 0) throw new Fault("invalid", "hook: it names no stages");
  const lists = names.map((name) => {
    const list = Object.hasOwn(stageLists, name) ? stageLists[name] : undefined;
    if (list === undefined) throw new Fault("invalid", `unknown stage ${JSON.stringify(name)}`);
    return list;
  });
  return [...new Set(lists)];
}

function optionalFlag<K extends string>(
  object: JsonObject,
  key: string,
  name = key as K,
): { readonly [P in K]?: boolean } {
  const flag = jsonField(object, key) === undefined ? {} : { [name]: jsonBoolean(object, key, "hook") };
  return flag as { readonly [P in K]?: boolean }; // a computed key loses its type
}

function oneOrMore(object: JsonObject, one: string, more: string): readonly string[] {
  const single = jsonField(object, one);
  if (Array.isArray(single)) return jsonTexts(object, one, "hook", 1000);
  const text = jsonText(object, one, "hook");
  return [...(text === undefined ? [] : [text]), ...jsonTexts(object, more, "hook", 1000)];
}
