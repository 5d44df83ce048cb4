import { Fault } from "../base/index.ts";

/** Longest value that is put into a plugin's environment. */
const maxValueLength = 4096;

/** A name of a network or a container id as the CNI specification has it. It becomes part of a file name. */
export function isCniName(text: string): boolean {
  return text.length <= 200 && /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text);
}

/** A name of an interface as Linux and the CNI specification have it. */
export function isInterfaceName(text: string): boolean {
  return text !== "." && text !== ".." && text.length < 16 && /^[!-.0-9;-~]+$/.test(text);
}

/** A name of a plugin: of a file in a plugin directory, never a path. */
export function isPluginName(text: string): boolean {
  return text !== "." && text !== ".." && text.length <= 255 && /^[^/\p{Cc}]+$/u.test(text);
}

/**
 * Checks one value for CNI_ARGS, whose grammar (`K=V;K=V`) has no quoting: a pod's own name must not be able to add an argument.
 * Throws Fault("invalid").
 */
export function checkArgument(key: string, value: string): void {
  if (value.length > maxValueLength) {
    throw new Fault("invalid", `${key} has ${value.length} characters, more than ${maxValueLength}`);
  }
  if (/[;=\p{Cc}\u2028\u2029]/u.test(value)) {
    const shown = JSON.stringify(value.slice(0, 80));
    throw new Fault(
      "invalid",
      `${key}=${shown} cannot be told to a CNI plugin: it holds ";", "=" or a control character`,
    );
  }
}

/** Checks a path of a network namespace file. Throws Fault("invalid"). */
export function checkNetnsPath(path: string): void {
  if (path.length <= maxValueLength && /^\/[^\p{Cc}]+$/u.test(path)) return;
  throw new Fault("invalid", `${JSON.stringify(path.slice(0, 80))} is no path of a network namespace`);
}
