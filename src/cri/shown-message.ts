const secretFields: ReadonlySet<string> = new Set(["auth", "password", "identityToken", "registryToken"]);

const maxText = 4096;
const maxEntries = 1000;

/**
 * A message for a debug line: what the API marks as secret is left out, and what is long is cut, so that no request makes more of the
 * log than of itself. Costs nothing when the line is not written.
 */
export function shownMessage(message: unknown): { toJSON(): unknown } {
  return { toJSON: () => shown(message) };
}

function shown(value: unknown): unknown {
  if (typeof value === "string") return shownText(value);
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return shownText(Buffer.from(value.subarray(0, maxText + 1)).toString());
  if (Array.isArray(value)) return [...value.slice(0, maxEntries).map(shown), ...more(value.length)];
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const parts = entries
    .slice(0, maxEntries)
    .map(([key, part]) => [
      shownText(key),
      secretFields.has(key) && part !== "" && part !== undefined ? "[redacted]" : shown(part),
    ]);
  return Object.fromEntries([...parts, ...more(entries.length).map((text) => ["…", text])]);
}

function shownText(text: string): string {
  return text.length > maxText ? `${text.slice(0, maxText)}…` : text;
}

function more(count: number): readonly string[] {
  return count > maxEntries ? [`and ${count - maxEntries} more`] : [];
}
