import type { PinnedImages } from "./deps.ts";

/**
 * Images that match one of `patterns`: a full name, `prefix*`, or `*keyword*`; case does not matter (`pinned_images`, and the
 * pause image besides).
 */
export function pinnedBy(patterns: () => readonly string[]): PinnedImages {
  return {
    isPinned(names) {
      const wanted = patterns()
        .map((pattern) => pattern.trim().toLowerCase())
        .filter((pattern) => pattern !== "");
      return names.some((name) => wanted.some((pattern) => matches(name.toLowerCase(), pattern)));
    },
  };
}

function matches(name: string, pattern: string): boolean {
  if (pattern.length > 1 && pattern.startsWith("*") && pattern.endsWith("*"))
    return name.includes(pattern.slice(1, -1));
  if (pattern.endsWith("*")) return name.startsWith(pattern.slice(0, -1));
  return name === pattern;
}
