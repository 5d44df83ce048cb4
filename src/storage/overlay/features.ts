import { randomBytes } from "node:crypto";
import { access, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault, type Logger, reasonOf } from "../../base/index.ts";
import { mountOverlay, unmount } from "../../host/index.ts";

export interface FeatureProbe {
  readonly home: string;
  /** Where answers are kept until the next boot, in the form that other programs read too: `<feature>-true`, `<feature>-false`. */
  readonly runHome: string;
  readonly log: Logger;
}

/** Rejects with a Fault that says why when the kernel cannot mount overlays of directories in `home`. */
export async function checkOverlay(probe: FeatureProbe): Promise<void> {
  if ((await cached(probe, "overlay")) === true) return;
  try {
    await tryMount(probe.home, []);
  } catch (error) {
    const why = `the file system of ${probe.home} cannot hold an overlay store: ${reasonOf(error)}`;
    throw new Fault("unavailable", why, { cause: error });
  }
  await remember(probe, "overlay", true);
}

/** Whether overlays can be told not to sync (Linux 5.10). */
export async function supportsVolatile(probe: FeatureProbe): Promise<boolean> {
  const known = await cached(probe, "volatile");
  if (known !== undefined) return known;
  let supported = true;
  try {
    await tryMount(probe.home, ["volatile"]);
  } catch (error) {
    probe.log.debug("overlay mounts cannot be volatile here", { why: reasonOf(error) });
    supported = false;
  }
  await remember(probe, "volatile", supported);
  return supported;
}

async function tryMount(home: string, options: readonly string[]): Promise<void> {
  const directory = join(home, `probe-${randomBytes(8).toString("hex")}`);
  const [lower, upper, work, target] = ["lower", "upper", "work", "merged"].map((name) => join(directory, name));
  if (lower === undefined || upper === undefined || work === undefined || target === undefined) return;
  try {
    for (const path of [directory, lower, upper, work, target]) await mkdir(path, { mode: 0o700 });
    mountOverlay({ target, lowers: [lower], upper, work, options });
    unmount(target, { detach: true });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function cached({ runHome }: FeatureProbe, feature: string): Promise<boolean | undefined> {
  if (await exists(join(runHome, `${feature}-true`))) return true;
  if (await exists(join(runHome, `${feature}-false`))) return false;
  return undefined;
}

async function remember({ runHome }: FeatureProbe, feature: string, supported: boolean): Promise<void> {
  await writeFile(join(runHome, `${feature}-${supported}`), "", { mode: 0o600 });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
