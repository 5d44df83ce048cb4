import { Fault } from "../base/index.ts";
import { changedOptions, type OptionChange } from "./changes.ts";
import type { Config } from "./table.ts";

/** The versions whose defaults can be told from today's. */
export const migratedVersions: readonly string[] = ["1.17"];

/** Capabilities that containers had by default up to CRI-O 1.17. */
const droppedCapabilities: ReadonlySet<string> = new Set(["NET_RAW", "SYS_CHROOT"]);

/**
 * A configuration that was written out with the defaults of an older CRI-O, with today's in the place of those, and what that changed. It
 * cannot tell a default from a choice that is the same. Throws Fault("invalid") for a version that it does not know.
 */
export function migrateDefaults(
  config: Config,
  version: string,
): { readonly config: Config; readonly changes: readonly OptionChange[] } {
  if (!migratedVersions.includes(version)) {
    const known = migratedVersions.join(", ");
    throw new Fault(
      "invalid",
      `the defaults of version ${JSON.stringify(version)} cannot be migrated: known is ${known}`,
    );
  }
  const { runtime } = config;
  const migrated: Config = {
    ...config,
    runtime: {
      ...runtime,
      defaultCapabilities: runtime.defaultCapabilities.filter(
        (name) => !droppedCapabilities.has(name.replace(/^CAP_/i, "").toUpperCase()),
      ),
      apparmorProfile: /^crio-default-/.test(runtime.apparmorProfile) ? "crio-default" : runtime.apparmorProfile,
      cgroupManager: runtime.cgroupManager === "cgroupfs" ? "systemd" : runtime.cgroupManager,
      conmonCgroup: runtime.conmonCgroup === "pod" ? "system.slice" : runtime.conmonCgroup,
      ctrStopTimeout: runtime.ctrStopTimeout === 0 ? 30 : runtime.ctrStopTimeout,
      logLevel: runtime.logLevel === "error" ? "info" : runtime.logLevel,
    },
  };
  return { config: migrated, changes: changedOptions(config, migrated) };
}
