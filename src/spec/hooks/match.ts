import { Fault } from "../../base/index.ts";
import type { Hook, Hooks } from "../../oci/index.ts";
import type { HookConditions, HookRule } from "./parse.ts";

/** What of a container decides which hooks it gets. */
export interface HookedContainer {
  /** The container's annotations, and over them its pod's. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The first argument of its process. */
  readonly program: string;
  /** Whether the request mounts anything. */
  readonly hasBindMounts: boolean;
}

/**
 * Longest text that a rule's expression is tried on. Go's expressions take time in proportion to the text; these take its square, on the
 * daemon's only thread, and what they are tried on is the pod's.
 */
const longestText = 4096;

/**
 * The hooks of a container, in the order of the rules; undefined when no rule is for it. Throws Fault("invalid") when that cannot be
 * said, since what decides is too long: a hook is never left out for that.
 */
export function hooksFor(rules: readonly HookRule[], container: HookedContainer): Hooks | undefined {
  const hooks: Partial<Record<keyof Hooks, Hook[]>> = {};
  for (const { hook, stages, when } of rules) {
    if (!isFor(when, container)) continue;
    for (const stage of stages) hooks[stage] = [...(hooks[stage] ?? []), hook];
  }
  return Object.keys(hooks).length === 0 ? undefined : hooks;
}

/** As oci-hooks(5) has it: what is given counts, commands come last and then decide alone, and a rule without conditions is for nobody. */
function isFor(when: HookConditions, { annotations, program, hasBindMounts }: HookedContainer): boolean {
  const entries = Object.entries(annotations);
  const outcomes = [
    ...(when.always === undefined ? [] : [when.always]),
    ...(when.hasBindMounts === undefined ? [] : [when.hasBindMounts && hasBindMounts]),
    ...when.annotations.map((wanted) =>
      entries.some(
        ([name, value]) => matches(wanted.name, name, "an annotation's name") && matches(wanted.value, value, name),
      ),
    ),
  ];
  if (when.isAnyEnough && outcomes.includes(true)) return true;
  if (!when.isAnyEnough && outcomes.includes(false)) return false;
  if (when.commands.length > 0) return when.commands.some((command) => matches(command, program, "the program's name"));
  return !when.isAnyEnough && outcomes.length > 0;
}

function matches(expression: RegExp, text: string, what: string): boolean {
  if (text.length > longestText) {
    const shown = what.length > 100 ? `${what.slice(0, 100)}…` : what;
    throw new Fault(
      "invalid",
      `${shown} has ${text.length} characters, and an OCI hook is chosen by it: at most ${longestText} are looked at`,
    );
  }
  return expression.test(text);
}
