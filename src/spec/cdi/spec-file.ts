import { Fault } from "../../base/index.ts";
import {
  type Hook,
  type Hooks,
  type JsonObject,
  jsonField,
  jsonList,
  jsonObject,
  jsonText,
  jsonTexts,
  type LinuxDeviceType,
  type LinuxIntelRdt,
  type Mount,
} from "../../oci/index.ts";
import { refuseNul } from "../paths.ts";

/** A Container Device Interface specification: what it takes to give a container a device of a vendor. */
export interface CdiSpec {
  /** `vendor.com/class`. */
  readonly kind: string;
  /** For every container that gets one of the devices. */
  readonly edits: CdiEdits;
  /** By their names. */
  readonly devices: ReadonlyMap<string, CdiEdits>;
}

/** Changes to a container. */
export interface CdiEdits {
  readonly env: readonly string[];
  readonly deviceNodes: readonly CdiDeviceNode[];
  readonly mounts: readonly Mount[];
  readonly hooks: readonly { readonly stage: keyof Hooks; readonly hook: Hook }[];
  readonly additionalGids: readonly number[];
  readonly intelRdt?: LinuxIntelRdt;
}

/** A device node; what is absent is as on the host, at `hostPath`. */
export interface CdiDeviceNode {
  readonly path: string;
  readonly hostPath: string;
  readonly type?: LinuxDeviceType;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly permissions: string;
  readonly uid?: number;
  readonly gid?: number;
}

const maxEntries = 10_000;
const what = "CDI specification";

/** A specification of any version up to 1.0. Unknown fields are passed over. Rejects with Fault("invalid"). */
export function parseCdiSpec(file: JsonObject): CdiSpec {
  const version = jsonText(file, "cdiVersion", what) ?? "";
  if (!/^v?(0\.\d+|1\.\d+)\.\d+$/.test(version)) throw invalid(`it is of version ${JSON.stringify(version)}`);
  const kind = jsonText(file, "kind", what) ?? "";
  if (!kindPattern.test(kind)) throw invalid(`kind ${JSON.stringify(kind.slice(0, 200))} is not VENDOR/CLASS`);
  const devices = new Map<string, CdiEdits>();
  for (const entry of jsonList(file, "devices", what, maxEntries)) {
    const device = jsonObject(entry, `${what}: a device`);
    const name = jsonText(device, "name", what) ?? "";
    if (!namePattern.test(name)) throw invalid(`device name ${JSON.stringify(name.slice(0, 200))}`);
    if (devices.has(name)) throw invalid(`it has two devices ${name}`);
    devices.set(name, editsFrom(device));
  }
  return { kind, edits: editsFrom(file), devices };
}

const kindPattern = /^[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z0-9])?\/[A-Za-z]([A-Za-z0-9_-]*[A-Za-z0-9])?$/;
const namePattern = /^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$/;

/** The parts of `vendor.com/class=name`. Rejects with Fault("invalid"). */
export function parseCdiName(text: string): { readonly kind: string; readonly name: string } {
  const cut = text.indexOf("=");
  const [kind, name] = [text.slice(0, cut), text.slice(cut + 1)];
  if (cut > 0 && kindPattern.test(kind) && namePattern.test(name)) return { kind, name };
  throw new Fault(
    "invalid",
    `${JSON.stringify(text.slice(0, 200))} is not a CDI device: write it as VENDOR/CLASS=NAME`,
  );
}

function editsFrom(holder: JsonObject): CdiEdits {
  const edits = jsonObject(jsonField(holder, "containerEdits") ?? {}, `${what}: containerEdits`);
  if (jsonList(edits, "netDevices", what, maxEntries).length > 0) throw invalid("network devices cannot be given");
  const env = jsonTexts(edits, "env", what, maxEntries);
  for (const entry of env) if (entry.indexOf("=") < 1) throw invalid(`env ${JSON.stringify(entry)} is not NAME=VALUE`);
  const rdt = jsonField(edits, "intelRdt");
  return {
    env,
    deviceNodes: objects(edits, "deviceNodes").map(deviceNodeFrom),
    mounts: objects(edits, "mounts").map(mountFrom),
    hooks: objects(edits, "hooks").map(hookFrom),
    additionalGids: jsonList(edits, "additionalGids", what, maxEntries).map((gid) => idFrom(gid, "additionalGids")),
    ...(rdt === undefined ? {} : { intelRdt: rdtFrom(jsonObject(rdt, `${what}: intelRdt`)) }),
  };
}

function deviceNodeFrom(node: JsonObject): CdiDeviceNode {
  const path = absolute(node, "path");
  const type = jsonText(node, "type", what) ?? "";
  if (!["", "b", "c", "u", "p"].includes(type)) throw invalid(`device type ${JSON.stringify(type)}`);
  const permissions = jsonText(node, "permissions", what) ?? "";
  if (!/^[rwm]*$/.test(permissions)) throw invalid(`device permissions ${JSON.stringify(permissions)}`);
  return {
    path,
    hostPath: (jsonText(node, "hostPath", what) ?? "") === "" ? path : absolute(node, "hostPath"),
    permissions: permissions === "" ? "rwm" : permissions,
    ...(type === "" ? {} : { type: type as LinuxDeviceType }), // checked above
    ...optionalId(node, "major"),
    ...optionalId(node, "minor"),
    ...optionalId(node, "fileMode"),
    ...optionalId(node, "uid"),
    ...optionalId(node, "gid"),
  };
}

function mountFrom(mount: JsonObject): Mount {
  const type = jsonText(mount, "type", what) ?? "";
  const source = jsonText(mount, "hostPath", what) ?? "";
  if (source === "") throw invalid("a mount has no hostPath");
  return {
    destination: absolute(mount, "containerPath"),
    source,
    options: jsonTexts(mount, "options", what, 1000),
    ...(type === "" ? {} : { type }),
  };
}

function hookFrom(hook: JsonObject): CdiEdits["hooks"][number] {
  const stage = jsonText(hook, "hookName", what) ?? "";
  if (!isStage(stage)) throw invalid(`hook name ${JSON.stringify(stage)}`);
  const [args, env] = [jsonTexts(hook, "args", what, 1000), jsonTexts(hook, "env", what, 1000)];
  const { timeout } = optionalId(hook, "timeout");
  return {
    stage,
    hook: {
      path: absolute(hook, "path"),
      ...(args.length === 0 ? {} : { args }),
      ...(env.length === 0 ? {} : { env }),
      ...(timeout === undefined ? {} : { timeout }),
    },
  };
}

function isStage(text: string): text is keyof Hooks {
  return ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"].includes(text);
}

function rdtFrom(rdt: JsonObject): LinuxIntelRdt {
  const closID = jsonText(rdt, "closID", what) ?? "";
  if (closID === "" || closID.includes("/") || closID === "..") throw invalid(`RDT class ${JSON.stringify(closID)}`);
  return { closID };
}

function objects(holder: JsonObject, key: string): readonly JsonObject[] {
  return jsonList(holder, key, what, maxEntries).map((entry) => jsonObject(entry, `${what}: ${key}`));
}

function absolute(holder: JsonObject, key: string): string {
  const path = jsonText(holder, key, what) ?? "";
  refuseNul(path, key);
  if (!path.startsWith("/")) throw invalid(`${key} ${JSON.stringify(path)} is not an absolute path`);
  return path;
}

function optionalId<K extends string>(holder: JsonObject, key: K): { readonly [P in K]?: number } {
  const value = jsonField(holder, key);
  const found = value === undefined ? {} : { [key]: idFrom(value, key) };
  return found as { readonly [P in K]?: number }; // a computed key loses its type
}

function idFrom(value: unknown, key: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  throw invalid(`${key} is not a number that a kernel takes`);
}

function invalid(why: string): Fault {
  return new Fault("invalid", `${what}: ${why}`);
}
