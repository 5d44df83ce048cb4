import { assertNever, errnoOf, Fault, withStep } from "../base/index.ts";
import { findProgram, readBounded, runProgramOk } from "../host/index.ts";
import { type AppArmorIncludes, appArmorProfileText, defaultAppArmorProfile } from "./apparmor-profile.ts";
import { hasControlCharacter, shownText } from "./safe-text.ts";

/** The `apparmor` field of a security context. */
export type AppArmorField =
  | { readonly is: "runtime-default" }
  | { readonly is: "unconfined" }
  | { readonly is: "localhost"; readonly ref: string };

export interface AppArmorRequest {
  readonly hostHasAppArmor: boolean;
  readonly privileged: boolean;
  readonly field?: AppArmorField;
  /** The older form, for when the field is absent: `runtime/default`, `unconfined`, `localhost/NAME` or "". */
  readonly olderField: string;
  /** `apparmor_profile` of the configuration; "" is crio's own, `unconfined` switches AppArmor off. */
  readonly configured: string;
}

/** What of the host AppArmor needs; the default is the host itself. */
export interface AppArmorHost {
  readonly findProgram: (name: string) => Promise<string | undefined>;
  readonly runProgramOk: typeof runProgramOk;
  /** The file's content, undefined when there is none. */
  readonly readText: (path: string) => Promise<string | undefined>;
}

const loadTimeoutMs = 30_000;
const maxTextBytes = 16 * 1024 * 1024;

export const appArmorHost: AppArmorHost = {
  findProgram: (name) => findProgram(name, `${process.env.PATH ?? ""}:/usr/sbin:/sbin`),
  runProgramOk,
  readText,
};

/**
 * The profile for a container, undefined for none (reference: annotations-and-features.md 6). The caller loads crio's own when it
 * is not loaded yet. Rejects with Fault("invalid").
 */
export function chooseAppArmor(request: AppArmorRequest): string | undefined {
  const { hostHasAppArmor, privileged, configured } = request;
  if (!hostHasAppArmor || privileged || configured === "unconfined") return undefined;
  const field = request.field ?? fromOlderField(request.olderField);
  switch (field.is) {
    case "runtime-default":
      return configured === "" ? defaultAppArmorProfile : configured;
    case "unconfined":
      return "unconfined";
    case "localhost":
      return localProfile(field.ref);
    default:
      return assertNever(field);
  }
}

/** Whether the kernel confines by AppArmor. */
export async function isAppArmorEnabled(host: AppArmorHost = appArmorHost): Promise<boolean> {
  const enabled = await host.readText("/sys/module/apparmor/parameters/enabled");
  return enabled?.startsWith("Y") ?? false;
}

/** Whether the kernel has a profile of this name. */
export async function isAppArmorProfileLoaded(name: string, host: AppArmorHost = appArmorHost): Promise<boolean> {
  const profiles = (await host.readText("/sys/kernel/security/apparmor/profiles")) ?? "";
  // Each line is `name (mode)`, and a name may hold blanks and parentheses itself.
  return profiles.split("\n").some((line) => line.slice(0, line.lastIndexOf(" (")) === name);
}

/**
 * Puts crio's own profile into the kernel by apparmor_parser, replacing one of the same name. Rejects with Fault("not-found")
 * when the program is missing, else with what it said.
 */
export async function loadAppArmorProfile(
  name: string,
  { signal, host = appArmorHost }: { readonly signal?: AbortSignal; readonly host?: AppArmorHost } = {},
): Promise<void> {
  const parser = await host.findProgram("apparmor_parser");
  if (parser === undefined) {
    throw new Fault("not-found", `loading the AppArmor profile ${name}: apparmor_parser is not installed`);
  }
  const text = appArmorProfileText(name, await includesOf(host));
  try {
    // -K: no cache, it would be written for a profile that has no file. -r: replace. The profile comes on standard input.
    const options = { timeoutMs: loadTimeoutMs, input: text, ...(signal === undefined ? {} : { signal }) };
    await host.runProgramOk(parser, ["-Kr"], options);
  } catch (error) {
    throw withStep(`loading the AppArmor profile ${name}`, error);
  }
}

async function includesOf(host: AppArmorHost): Promise<AppArmorIncludes> {
  const [tunables, base] = await Promise.all(
    ["tunables/global", "abstractions/base"].map((name) => host.readText(`/etc/apparmor.d/${name}`)),
  );
  return { tunablesGlobal: tunables !== undefined, abstractionsBase: base !== undefined };
}

function fromOlderField(text: string): AppArmorField {
  if (text === "" || text === "runtime/default") return { is: "runtime-default" };
  return text === "unconfined" ? { is: "unconfined" } : { is: "localhost", ref: text };
}

function localProfile(ref: string): string {
  const name = ref.startsWith("localhost/") ? ref.slice("localhost/".length) : ref;
  if (name === "") throw new Fault("invalid", "empty localhost AppArmor profile is forbidden");
  if (hasControlCharacter(name) || name.length > 4096) {
    throw new Fault("invalid", `invalid AppArmor profile name ${shownText(name)}`);
  }
  return name;
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readBounded(path, maxTextBytes)).toString("utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
