import { endianness } from "node:os";
import { Fault } from "../base/index.ts";
import { type JsonObject, jsonText } from "./json.ts";

/** What an image was built for, in Go's words (`linux`, `amd64`, `v7`). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
}

/** The platform of a descriptor or image config; absent words are "". */
export function parsePlatform(object: JsonObject, what: string): Platform {
  const variant = jsonText(object, "variant", what);
  const osVersion = jsonText(object, "os.version", what);
  return {
    os: jsonText(object, "os", what) ?? "",
    architecture: jsonText(object, "architecture", what) ?? "",
    ...(variant !== undefined && variant !== "" && { variant }),
    ...(osVersion !== undefined && osVersion !== "" && { osVersion }),
  };
}

/** `linux/arm/v7` */
export function platformText(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** The platform this process runs on. Throws Fault("unimplemented") on an architecture without a name in Go. */
export function hostPlatform(): Platform {
  const architecture = goArchitecture(process.arch, endianness());
  if (architecture === undefined) {
    throw new Fault("unimplemented", `no container platform is known for the architecture ${process.arch}`);
  }
  return architecture === "arm"
    ? { os: "linux", architecture, variant: `v${armVersion()}` }
    : { os: "linux", architecture };
}

/**
 * The variants that run where `wanted` is asked for, best first; "" is an image that names none.
 * An older arm runs on a newer one; without a wanted variant an image without one is preferred.
 */
export function acceptedVariants(wanted: Platform): readonly string[] {
  const known = variantsNewestFirst.get(wanted.architecture) ?? [];
  if (wanted.variant === undefined || wanted.variant === "") return ["", ...known];
  const at = known.indexOf(wanted.variant);
  return at < 0 ? [wanted.variant, ""] : [...known.slice(at), ""];
}

const variantsNewestFirst: ReadonlyMap<string, readonly string[]> = new Map([
  ["arm", ["v8", "v7", "v6", "v5"]],
  ["arm64", ["v8"]],
  ["amd64", ["v1"]],
]);

function goArchitecture(arch: string, order: "BE" | "LE"): string | undefined {
  switch (arch) {
    case "x64":
      return "amd64";
    case "ia32":
      return "386";
    case "ppc64":
      return order === "LE" ? "ppc64le" : "ppc64";
    case "mipsel":
      return "mipsle";
    case "arm":
    case "arm64":
    case "loong64":
    case "riscv64":
    case "s390x":
      return arch;
    default:
      return undefined;
  }
}

function armVersion(): string {
  const variables: JsonObject = { ...process.config.variables };
  const version = variables.arm_version;
  return typeof version === "string" && /^[5-8]$/.test(version) ? version : "7";
}
