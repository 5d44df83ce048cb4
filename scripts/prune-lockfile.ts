/**
 * node scripts/prune-lockfile.ts     after `npm install`: takes out of package-lock.json what `npm ci` could not hold it to
 *
 * Tools with a program per platform name all of them as optional packages. Those that a registry does not carry, and that this
 * project's platforms (Linux on x86_64 and aarch64) do not need, are missing from the lockfile, and `npm ci` then refuses it.
 * Addresses of the registry that happened to be used are taken out too.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface Entry {
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

const path = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const lock: { packages: Record<string, Entry> } = JSON.parse(readFileSync(path, "utf8"));
const locked = new Set(Object.keys(lock.packages).map((place) => place.split("node_modules/").at(-1)));
for (const [place, entry] of Object.entries(lock.packages)) {
  delete entry.resolved;
  if (place === "" || entry.optionalDependencies === undefined) continue;
  const kept = Object.entries(entry.optionalDependencies).filter(([name]) => locked.has(name));
  entry.optionalDependencies = Object.fromEntries(kept);
}
writeFileSync(path, `${JSON.stringify(lock, undefined, 2)}\n`);
