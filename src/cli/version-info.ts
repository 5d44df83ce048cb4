import { readFile } from "node:fs/promises";
import { arch, platform } from "node:os";
import { type VersionInfo, version } from "../config/index.ts";

/** What the build knows of itself. */
interface BuildInfo {
  readonly gitCommit: string;
  readonly gitCommitDate: string;
  readonly gitTreeState: string;
  readonly buildDate: string;
  /** `name version sum` */
  readonly dependencies: readonly string[];
}

/** Put in by scripts/build.ts; there is none when the sources run as they are. */
declare const CRIO_BUILD: BuildInfo | undefined;

const unknownBuild: BuildInfo = {
  gitCommit: "unknown",
  gitCommitDate: "unknown",
  gitTreeState: "unknown",
  buildDate: "unknown",
  dependencies: [],
};

/** Version, build and host under CRI-O's names. Where CRI-O tells of Go, this tells of Node. */
export async function versionInfo(options: { readonly verbose?: boolean } = {}): Promise<VersionInfo> {
  const build = typeof CRIO_BUILD === "undefined" ? unknownBuild : CRIO_BUILD;
  const [seccompEnabled, appArmorEnabled] = await Promise.all([hasSeccomp(), hasAppArmor()]);
  return {
    version,
    gitCommit: build.gitCommit,
    gitCommitDate: build.gitCommitDate,
    gitTreeState: build.gitTreeState,
    buildDate: build.buildDate,
    goVersion: `node ${process.version}`,
    compiler: `v8 ${process.versions.v8}`,
    platform: `${platform()}/${goArch()}`,
    linkmode: "dynamic",
    buildTags: ["nodejs", "seccomp", "apparmor"],
    ldFlags: "unknown",
    seccompEnabled,
    appArmorEnabled,
    dependencies: options.verbose === true ? build.dependencies : [],
  };
}

function goArch(): string {
  return new Map([["x64", "amd64"]]).get(arch()) ?? arch();
}

async function hasSeccomp(): Promise<boolean> {
  return /^Seccomp:/m.test(await textOf("/proc/self/status"));
}

async function hasAppArmor(): Promise<boolean> {
  return (await textOf("/sys/module/apparmor/parameters/enabled")).startsWith("Y");
}

async function textOf(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
