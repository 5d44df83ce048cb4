export { type HookedContainer, hooksFor } from "./match.ts";
export { type HookConditions, type HookRule, maxHookFileBytes, parseHookFile } from "./parse.ts";
