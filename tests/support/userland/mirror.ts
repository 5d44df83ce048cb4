import { mustRun } from "../programs.ts";

/**
 * The Debian archive that this machine's own apt uses: the first source that is neither its security nor its updates
 * archive. `CRIO_TS_DEBIAN_MIRROR` overrides it.
 */
export async function debianMirror(): Promise<string> {
  const override = process.env.CRIO_TS_DEBIAN_MIRROR;
  if (override) return override;
  const targets = await mustRun(
    ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(ORIGIN)|$(RELEASE)", "Created-By: Packages"],
    { timeoutMs: 30_000 },
  );
  const mirror = mirrorFrom(targets.stdout);
  if (mirror === undefined) {
    throw new Error(
      "no Debian archive among this machine's apt sources: run `apt-get update`, or set CRIO_TS_DEBIAN_MIRROR",
    );
  }
  return mirror;
}

/** Picks the archive from lines `URI|origin|release`. */
export function mirrorFrom(targets: string): string | undefined {
  const sources = targets
    .split("\n")
    .map((line) => line.split("|"))
    .filter(
      ([uri = "", , release = ""]) =>
        uri !== "" && !/-(security|updates|backports)|-debug/.test(release) && !/security/.test(uri),
    );
  const debian = sources.find(([uri = "", origin]) => origin === "Debian" || /\/debian\/?$/.test(uri));
  return (debian ?? sources[0])?.[0];
}
