import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cniVersions } from "./versions.ts";

/** For tests: a call that a scripted plugin was given. */
export interface RecordedCall {
  readonly plugin: string;
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  readonly config: Record<string, unknown>;
}

/**
 * For tests: a directory with everything that CNI needs (`conf`, `bin`, `cache`) and plugins that record what they are given
 * and then do what a test tells them, by shell commands per CNI command. Without any they speak all versions, answer ADD with one
 * address and the rest with success.
 */
export class ScriptedPlugins implements AsyncDisposable {
  readonly root: string;
  readonly confDir: string;
  readonly binDir: string;
  readonly cacheDir: string;

  constructor(root: string) {
    this.root = root;
    this.confDir = join(root, "conf");
    this.binDir = join(root, "bin");
    this.cacheDir = join(root, "cache");
  }

  static async make(): Promise<ScriptedPlugins> {
    const made = new ScriptedPlugins(await mkdtemp(join(tmpdir(), "cni-")));
    for (const name of ["conf", "bin", "cache", "calls"]) await mkdir(join(made.root, name));
    return made;
  }

  /** Installs a plugin, or changes what it does. `on` has shell commands by CNI command; standard input is in `$input`. */
  async plugin(name: string, on: Readonly<Record<string, string>> = {}): Promise<void> {
    const path = join(this.binDir, name);
    const answer = { cniVersion: "1.1.0", supportedVersions: cniVersions };
    const all = { VERSION: `echo '${JSON.stringify(answer)}'`, ADD: addressAnswer("10.9.0.5/24"), ...on };
    const cases = Object.entries(all).map(([command, script]) => `${command}) ${script} ;;`);
    const script = `#!/bin/sh
input=$(cat)
call=${this.root}/calls/$(date +%s%N)-${name}-$CNI_COMMAND
printf %s "$input" >$call.json
env >$call.env
case $CNI_COMMAND in
${cases.join("\n")}
esac
`;
    await writeFile(path, script);
    await chmod(path, 0o755);
  }

  async configure(file: string, config: unknown): Promise<void> {
    await writeFile(join(this.confDir, file), typeof config === "string" ? config : JSON.stringify(config));
  }

  /** What plugins were called with, in order, without VERSION. */
  async calls(): Promise<readonly RecordedCall[]> {
    const directory = join(this.root, "calls");
    const names = (await readdir(directory)).filter((name) => name.endsWith(".env")).sort();
    const calls = names.map(async (file): Promise<RecordedCall> => {
      const [, plugin = "", command = ""] = /^\d+-(.*)-([A-Z]+)\.env$/.exec(file) ?? [];
      const lines = (await readFile(join(directory, file), "utf8")).trim().split("\n");
      const env = Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
      );
      const text = await readFile(join(directory, file.replace(/env$/, "json")), "utf8");
      return { plugin, command, env, config: text === "" ? {} : JSON.parse(text) };
    });
    return (await Promise.all(calls)).filter(({ command }) => command !== "VERSION");
  }

  /** The calls as `plugin COMMAND`. */
  async order(): Promise<readonly string[]> {
    return (await this.calls()).map(({ plugin, command }) => `${plugin} ${command}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

/** A script for ADD: a result with one address, in the configuration's version. */
export function addressAnswer(address: string): string {
  return `echo '{"ips":[{"version":"4","address":"${address}"}]}'`;
}

/** A script that fails as the specification has it. */
export function failAnswer(code: number, msg: string, details = ""): string {
  return `echo '${JSON.stringify({ cniVersion: "1.0.0", code, msg, details })}'; exit 1`;
}
