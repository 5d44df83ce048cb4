import { open } from "node:fs/promises";

const zoneDirectories: readonly string[] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

/** What is wrong with a time zone, or undefined. Reads the host's zone files; `local` is the host's own, in any case. */
export async function timezoneProblem(name: string): Promise<string | undefined> {
  if (name === "" || name === "UTC" || name.toLowerCase() === "local") return undefined;
  if (name.startsWith("/") || name.includes("..") || name.includes("\\") || name.includes("\0")) {
    return `invalid timezone ${JSON.stringify(name)}: write a name such as Europe/Vienna`;
  }
  for (const directory of zoneDirectories) {
    if (await isZoneFile(`${directory}/${name}`)) return undefined;
  }
  return `invalid timezone ${JSON.stringify(name)}: the host has no such zone in ${zoneDirectories[0]}`;
}

async function isZoneFile(path: string): Promise<boolean> {
  try {
    await using file = await open(path, "r");
    const { bytesRead, buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.toString("latin1") === "TZif";
  } catch {
    return false;
  }
}
