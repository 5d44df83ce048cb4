import { Fault } from "../base/index.ts";

/** What `storage_option` and storage.conf say about the overlay driver. */
export interface DriverOptions {
  /** For the mounts of containers that bring none of their own. */
  readonly mountOptions: readonly string[];
  /** Leave the driver's directory as it is mounted, instead of a private mount of its own. */
  readonly skipMountHome: boolean;
  /** Unpack layers also where owners cannot be set. */
  readonly ignoreChownErrors: boolean;
}

/** Throws Fault("unimplemented") or Fault("invalid") for a driver, or options of it, that cannot be had. */
export function checkDriver(options: {
  readonly driver?: string;
  readonly driverOptions: readonly string[];
}): DriverOptions {
  const { driver = "overlay" } = options;
  if (driver !== "overlay" && driver !== "overlay2" && driver !== "") {
    throw new Fault("unimplemented", `storage driver ${JSON.stringify(driver)} is not supported; set it to overlay`);
  }
  return parseDriverOptions(options.driverOptions);
}

/** Known to containers/storage, and refused here rather than passed over, since data would end up elsewhere or be of another form. */
const unsupported = new Set([
  "size",
  "inodes",
  "imagestore",
  "additionalimagestore",
  "additionalimagestores",
  "additionallayerstore",
  "use_composefs",
  "mount_program",
  "force_mask",
]);

/**
 * Reads `key=value` options as containers/storage takes them: the prefix `overlay.`, `overlay2.` or `.` is optional, case
 * does not matter in keys. An option without effect (`mount_program=`, `use_composefs=false`) is fine.
 * Throws Fault("invalid") for unknown keys and values, Fault("unimplemented") for known ones that we do not have.
 */
export function parseDriverOptions(options: readonly string[]): DriverOptions {
  let parsed: DriverOptions = { mountOptions: [], skipMountHome: false, ignoreChownErrors: false };
  for (const option of options) {
    const { key, value } = splitOption(option);
    switch (key) {
      case "override_kernel_check":
        break;
      case "mountopt":
        parsed = { ...parsed, mountOptions: value.split(",").filter((word) => word !== "") };
        break;
      case "skip_mount_home":
        parsed = { ...parsed, skipMountHome: booleanOf(option, value) };
        break;
      case "ignore_chown_errors":
        parsed = { ...parsed, ignoreChownErrors: booleanOf(option, value) };
        break;
      default:
        refuseUnlessEmpty(option, key, value);
    }
  }
  return parsed;
}

function splitOption(option: string): { key: string; value: string } {
  const equals = option.indexOf("=");
  if (equals === -1) throw new Fault("invalid", `overlay: storage option ${JSON.stringify(option)} is not key=value`);
  const key = option.slice(0, equals).trim().toLowerCase();
  return { key: key.replace(/^(?:overlay2?)?\./, ""), value: option.slice(equals + 1).trim() };
}

function refuseUnlessEmpty(option: string, key: string, value: string): void {
  if (!unsupported.has(key)) throw new Fault("invalid", `overlay: unknown option ${key}`);
  if (value === "" || value === "false") return;
  throw new Fault("unimplemented", `overlay: storage option ${JSON.stringify(option)} is not supported; remove it`);
}

/** The words that Go's strconv.ParseBool knows. */
function booleanOf(option: string, value: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(value)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(value)) return false;
  throw new Fault("invalid", `overlay: storage option ${JSON.stringify(option)} is neither true nor false`);
}
