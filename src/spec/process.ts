import { Fault } from "../base/index.ts";
import type { ImageRunConfig, Process, Rlimit } from "../oci/index.ts";
import { cleanPath, refuseNul } from "./paths.ts";
import type { ConfinementPlan, HostFacts, UserPlan } from "./plan.ts";
import { runsSystemd } from "./systemd-mode.ts";
import { templateEnv } from "./template.ts";

export type { Rlimit };

/** What runs, from the request and the image. */
export interface CommandPlan {
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly tty: boolean;
  readonly env: readonly { readonly key: string; readonly value: string }[];
  readonly image: Pick<ImageRunConfig, "Entrypoint" | "Cmd" | "Env" | "WorkingDir">;
  /** `default_env` of the configuration, `NAME=value`. */
  readonly defaultEnv: readonly string[];
  /** Of workloads and hooks, `NAME=value`: the last word. */
  readonly extraEnv: readonly string[];
}

/**
 * The argument vector (reference: cri.md 3.6): the request's command takes the place of the image's entrypoint and Cmd both, its
 * args that of Cmd. Rejects with Fault("invalid").
 */
export function processArgs({
  command,
  args,
  image,
}: Pick<CommandPlan, "command" | "args" | "image">): readonly string[] {
  const [program, rest] = command.length > 0 ? [command, args] : [image.Entrypoint, args.length > 0 ? args : image.Cmd];
  const all = [...program, ...rest];
  if (all.length === 0) throw new Fault("invalid", "no command specified");
  for (const arg of all) refuseNul(arg, "an argument of the command");
  return all;
}

/**
 * The environment; a later setting of a name takes the earlier one's place. Without variables in the request the image's are as
 * they are, with them the image's come after, as far as they are not set already. Rejects with Fault("invalid").
 */
export function processEnv(plan: CommandPlan, hostname: string): readonly string[] {
  return mergedEnv([
    ...templateEnv,
    ...(plan.tty ? ["TERM=xterm"] : []),
    ...(runsSystemd(processArgs(plan)) ? ["container=crio"] : []),
    `HOSTNAME=${hostname}`,
    ...plan.defaultEnv,
    ...requestedEnv(plan),
    ...plan.extraEnv,
  ]);
}

/** The variables, each name once: at the place of its first mention, with the value of its last. Rejects with Fault("invalid"). */
export function mergedEnv(entries: readonly string[]): readonly string[] {
  const merged = new Map<string, string>();
  for (const entry of entries) {
    refuseNul(entry, "an environment variable");
    merged.set(nameOf(entry), entry);
  }
  return [...merged.values()];
}

/**
 * The working directory: the request's, the image's, or the root. Rejects with Fault("invalid") for relative paths and for those
 * into another process or an open file (`/proc/self/fd/7`), through which a container once got at the host (CVE-2024-21626).
 */
export function processCwd({ workingDir, image }: Pick<CommandPlan, "workingDir" | "image">): string {
  const cwd = [workingDir, image.WorkingDir].find((path) => path !== "") ?? "/";
  refuseNul(cwd, "the working directory");
  if (!cwd.startsWith("/")) throw new Fault("invalid", `the working directory ${JSON.stringify(cwd)} is not absolute`);
  if (leadsIntoProcess(cwd)) {
    throw new Fault("invalid", `the working directory ${JSON.stringify(cwd)} leads into a process`);
  }
  return cwd;
}

/** The `process` of a spec. */
export function linuxProcess(parts: {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly terminal: boolean;
  readonly user: UserPlan;
  readonly rlimits: readonly Rlimit[];
  readonly oomScoreAdj: number | undefined;
  readonly confinement: Pick<ConfinementPlan, "capabilities" | "noNewPrivileges" | "apparmorProfile" | "selinuxLabel">;
  readonly host: Pick<HostFacts, "inherited">;
}): Process {
  const { args, env, cwd, user, confinement, host } = parts;
  const rlimits = permittedRlimits(parts.rlimits, host);
  const oomScoreAdj = permittedOomScoreAdj(parts.oomScoreAdj, host);
  return {
    ...(parts.terminal ? { terminal: true } : {}),
    user: {
      uid: user.uid,
      gid: user.gid,
      ...(user.umask === undefined ? {} : { umask: user.umask }),
      ...(user.additionalGids.length === 0 ? {} : { additionalGids: user.additionalGids }),
    },
    args,
    env,
    cwd,
    capabilities: confinement.capabilities,
    ...(rlimits.length === 0 ? {} : { rlimits }),
    noNewPrivileges: confinement.noNewPrivileges,
    ...(confinement.apparmorProfile === undefined ? {} : { apparmorProfile: confinement.apparmorProfile }),
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
    ...(confinement.selinuxLabel === "" ? {} : { selinuxLabel: confinement.selinuxLabel }),
  };
}

/** Umask of the annotation: one to four octal digits. Rejects with Fault("invalid"). */
export function parseUmask(text: string): number {
  if (!/^[0-7]{1,4}$/.test(text)) throw new Fault("invalid", `invalid umask string ${text.slice(0, 100)}`);
  return Number.parseInt(text, 8);
}

/** Those that may be set: raising a hard limit takes CAP_SYS_RESOURCE. */
function permittedRlimits(rlimits: readonly Rlimit[], { inherited }: Pick<HostFacts, "inherited">): readonly Rlimit[] {
  if (inherited === undefined) return rlimits;
  return rlimits.filter(({ type, hard }) => hard <= (inherited.hardRlimits.get(type) ?? -1n));
}

/** Lowering the score takes CAP_SYS_RESOURCE. */
function permittedOomScoreAdj(
  score: number | undefined,
  { inherited }: Pick<HostFacts, "inherited">,
): number | undefined {
  return score === undefined || inherited === undefined || score >= inherited.oomScoreAdj ? score : undefined;
}

/** At any of its steps: behind an open file, `..` goes on wherever that file is. */
function leadsIntoProcess(path: string): boolean {
  const steps = path.split("/");
  return steps.some((_step, i) => {
    const reached = cleanPath(steps.slice(0, i + 1).join("/"));
    return /^\/proc\/(self|thread-self|\d+)\/./.test(reached) || /^\/dev\/(fd|stdin|stdout|stderr)$/.test(reached);
  });
}

function requestedEnv({ env, image }: CommandPlan): readonly string[] {
  if (env.length === 0) return image.Env;
  const named = env.filter(({ key }) => key !== "");
  const taken = new Set(named.map(({ key }) => key));
  const fromImage = image.Env.filter((entry) => {
    const name = nameOf(entry);
    return entry.includes("=") && name !== "" && !taken.has(name);
  });
  return [...named.map(({ key, value }) => `${key}=${value}`), ...fromImage];
}

function nameOf(entry: string): string {
  const equals = entry.indexOf("=");
  return equals === -1 ? entry : entry.slice(0, equals);
}
