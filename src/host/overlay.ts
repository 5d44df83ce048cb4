import { constants, openSync } from "node:fs";
import { errnoOf, Fault, reasonOf } from "../base/index.ts";
import { cString } from "./c-string.ts";
import { libc } from "./libc.ts";
import {
  attachMount,
  contextMessages,
  fsconfig,
  fscreate,
  fsmount,
  fsopen,
  mountAttributes,
  withDescriptor,
} from "./mount-calls.ts";
import { mountFault } from "./mounts.ts";
import { checked, close, kernel } from "./syscalls.ts";

// fsconfig takes values of up to 255 bytes, mount(2) one page of options.
const maxValueBytes = 255;
const maxOptionBytes = 4095;

export interface OverlayPlan {
  readonly target: string;
  /** Topmost first. At least one, or two when there is no `upper`; the kernel takes up to 500. */
  readonly lowers: readonly string[];
  /** Where changes go. Without it the mount is read-only. */
  readonly upper?: string;
  /** An empty directory on the file system of `upper`. */
  readonly work?: string;
  /** Of overlay, as flag or `key=value` (`"volatile"`, `"metacopy=on"`), or of any mount (`"nodev"`, `"ro"` …). */
  readonly options?: readonly string[];
  readonly readonly?: boolean;
}

/**
 * Mounts an overlay. Throws Fault("invalid") for a plan that cannot be, and otherwise a Fault with the kernel's words.
 * Kernels before 6.7, which take all lower layers in one string, are given one.
 */
export function mountOverlay(plan: OverlayPlan): void {
  const parts = partsOf(plan);
  withPaths((path) => {
    const unknown = mountByContext(plan, parts, path);
    if (unknown) mountByString(plan, parts);
  });
}

/** Mounts an overlay by mount(2), with what fits in a page of options. For kernels before 6.7. */
export function mountOverlayByString(plan: OverlayPlan): void {
  mountByString(plan, partsOf(plan));
}

interface Parts {
  readonly attributes: number;
  readonly options: readonly (readonly [key: string, value: string | undefined])[];
}

const attributeWords: Readonly<Record<string, number>> = { ...mountAttributes, ro: mountAttributes.readonly };
const wordsWithoutEffect = new Set(["rw", "dev", "suid", "exec"]);
const layerOptions = new Set(["lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir"]);

/** Checks the plan and sorts its options into attributes of the mount and options of the file system. */
function partsOf(plan: OverlayPlan): Parts {
  const refuse = (why: string) => new Fault("invalid", `mounting overlay on ${plan.target}: ${why}`);
  if (plan.lowers.length === 0) throw refuse("no lower layer; an empty directory will do");
  if (plan.upper === undefined && plan.lowers.length === 1) {
    throw refuse("one lower layer and no upper; give an empty directory as a second one");
  }
  if ((plan.upper === undefined) !== (plan.work === undefined)) throw refuse("upper and work belong together");
  let attributes = plan.readonly ? mountAttributes.readonly : 0;
  const options: [string, string | undefined][] = [];
  for (const option of plan.options ?? []) {
    const [, key = "", value] = /^([a-z_+]+)(?:=(.*))?$/s.exec(option) ?? [];
    const plain = value?.replace(/^"(.*)"$/s, "$1"); // as mount(8) wants a value that has commas
    if (key === "" || layerOptions.has(key) || plain?.includes('"')) {
      throw refuse(`not an option: ${JSON.stringify(option)}`);
    }
    const attribute = Object.hasOwn(attributeWords, key) ? attributeWords[key] : undefined;
    if (attribute !== undefined && value === undefined) attributes |= attribute;
    else if (!wordsWithoutEffect.has(key)) options.push([key, plain]);
  }
  return { attributes, options };
}

/** How a directory is written in an option. */
type PathText = (path: string) => string;

/**
 * Runs `work` with a way to write directories so that no kernel reads them differently: as they are, or by descriptor
 * (`/proc/self/fd/7`) when they are too long or have characters that some kernels unescape and others do not.
 */
function withPaths<T>(work: (path: PathText) => T, isPlain = (path: string) => fitsPlainly(path)): T {
  const fds: number[] = [];
  try {
    return work((path) => {
      if (isPlain(path)) return path;
      const fd = openSync(path, kernel.O_PATH | constants.O_DIRECTORY);
      fds.push(fd);
      return `/proc/self/fd/${fd}`;
    });
  } finally {
    for (const fd of fds) close(fd);
  }
}

function fitsPlainly(path: string): boolean {
  return Buffer.byteLength(path) <= maxValueBytes && !path.includes("\\");
}

/** True when this kernel does not know layers one by one, and nothing was done. */
function mountByContext(plan: OverlayPlan, parts: Parts, path: PathText): boolean {
  return withDescriptor(
    step(plan, () => fsopen("overlay")),
    (context) => {
      try {
        fsconfig(context, "source", "overlay");
        for (const lower of plan.lowers) fsconfig(context, "lowerdir+", path(lower));
      } catch (error) {
        const said = contextMessages(context);
        if (errnoOf(error) === "EINVAL" && /unknown parameter/i.test(said)) return true;
        throw overlayFault(plan, error, said);
      }
      try {
        if (plan.upper !== undefined) fsconfig(context, "upperdir", path(plan.upper));
        if (plan.work !== undefined) fsconfig(context, "workdir", path(plan.work));
        for (const [key, value] of parts.options) fsconfig(context, key, value);
        fscreate(context);
        withDescriptor(fsmount(context, parts.attributes), (mount) => attachMount(mount, plan.target));
        return false;
      } catch (error) {
        throw overlayFault(plan, error, contextMessages(context));
      }
    },
  );
}

function mountByString(plan: OverlayPlan, parts: Parts): void {
  const attempt = (isPlain: (path: string) => boolean) =>
    withPaths((path) => {
      const text = optionText(plan, parts, path);
      if (Buffer.byteLength(text) > maxOptionBytes) return false;
      step(plan, () => {
        const mounted = libc().mount("overlay", cString(plan.target), "overlay", parts.attributes, cString(text));
        checked(mounted, "mount", plan.target);
      });
      return true;
    }, isPlain);
  if (attempt((path) => !/[\\:,]/.test(path))) return;
  // Descriptors are shorter than paths.
  if (attempt(() => false)) return;
  const why = `its ${plan.lowers.length} lower layers do not fit into the page of options that kernels before 6.7 take`;
  throw new Fault("exhausted", `mounting overlay on ${plan.target}: ${why}; a newer kernel has no such limit`);
}

function optionText(plan: OverlayPlan, parts: Parts, path: PathText): string {
  const layers = [`lowerdir=${plan.lowers.map(path).join(":")}`];
  if (plan.upper !== undefined) layers.push(`upperdir=${path(plan.upper)}`);
  if (plan.work !== undefined) layers.push(`workdir=${path(plan.work)}`);
  const quoted = (value: string) => (value.includes(",") ? `"${value}"` : value); // SELinux contexts have commas
  const options = parts.options.map(([key, value]) => (value === undefined ? key : `${key}=${quoted(value)}`));
  return [...layers, ...options].join(",");
}

function step<T>(plan: OverlayPlan, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw overlayFault(plan, error, "");
  }
}

/** The layers by name: the kernel's message is often no more than "invalid argument". */
function overlayFault(plan: OverlayPlan, error: unknown, said: string): Fault {
  const changes = plan.upper === undefined ? "none" : plan.upper;
  const layers = `${plan.lowers.length} lower, top ${plan.lowers[0] ?? "none"}, upper ${changes}`;
  const fault = mountFault(`mounting overlay on ${plan.target} (${layers})`, error, said);
  return new Fault(fault.code, reasonOf(fault), { cause: error });
}
