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

/** The hooks of a container, in the order of the rules; undefined when no rule is for it. */
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
      entries.some(([name, value]) => wanted.name.test(name) && wanted.value.test(value)),
    ),
  ];
  if (when.isAnyEnough && outcomes.includes(true)) return true;
  if (!when.isAnyEnough && outcomes.includes(false)) return false;
  if (when.commands.length > 0) return when.commands.some((command) => command.test(program));
  return !when.isAnyEnough && outcomes.length > 0;
}
