import type { VersionInfo } from "../../config/index.ts";
import { type Call, isOn } from "../command.ts";
import type { Terminal } from "../terminal.ts";
import { versionInfo } from "../version-info.ts";

/** `crio version`: the version as aligned text or as JSON, without a newline at the end, as CRI-O prints it. */
export async function printVersion({ terminal, flags }: Call): Promise<void> {
  const info = await versionInfo({ verbose: isOn(flags, "verbose") });
  terminal.out(isOn(flags, "json") ? versionJson(info) : versionText(info));
}

/** `crio --version`: first the line that installers read, then the same fields, indented. */
export async function printProgramVersion(terminal: Terminal): Promise<void> {
  const info = await versionInfo();
  terminal.out(`crio version ${info.version}\n${versionText(info).replace(/^/gm, "   ")}\n`);
}

/** Keys in CRI-O's order and under its names; what is empty is left out. */
export function versionJson(info: VersionInfo): string {
  const given = fieldsOf(info).filter(([, , value]) => typeof value === "boolean" || value.length > 0);
  return JSON.stringify(Object.fromEntries(given.map(([, key, value]) => [key, value])), null, 2);
}

/** One field a line, the values aligned; lists stand below their name. */
export function versionText(info: VersionInfo): string {
  const fields = fieldsOf(info);
  const width = Math.max(...fields.map(([label]) => label.length)) + 3;
  return fields
    .filter(([, , value]) => typeof value === "boolean" || value.length > 0)
    .map(([label, , value]) => {
      if (typeof value === "object") return [`${label}:`, ...value.map((item) => `  ${item}`)].join("\n");
      return `${`${label}:`.padEnd(width)}${value}`;
    })
    .join("\n");
}

type Field = readonly [label: string, key: string, value: string | boolean | readonly string[]];

function fieldsOf(info: VersionInfo): readonly Field[] {
  return [
    ["Version", "version", info.version],
    ["GitCommit", "gitCommit", info.gitCommit],
    ["GitCommitDate", "gitCommitDate", info.gitCommitDate],
    ["GitTreeState", "gitTreeState", info.gitTreeState],
    ["BuildDate", "buildDate", info.buildDate],
    ["GoVersion", "goVersion", info.goVersion],
    ["Compiler", "compiler", info.compiler],
    ["Platform", "platform", info.platform],
    ["Linkmode", "linkmode", info.linkmode],
    ["BuildTags", "buildTags", info.buildTags],
    ["LDFlags", "ldFlags", info.ldFlags],
    ["SeccompEnabled", "seccompEnabled", info.seccompEnabled],
    ["AppArmorEnabled", "appArmorEnabled", info.appArmorEnabled],
    ["Dependencies", "dependencies", info.dependencies],
  ];
}
