/** A module of its own, so that the library is loaded only on nodes that have such files. */
import { parse } from "yaml";

/** A YAML text as plain values. Aliases are few, so that small texts stay small values. Throws the parser's error. */
export function parseYaml(text: string): unknown {
  return parse(text, { maxAliasCount: 10, prettyErrors: false });
}
