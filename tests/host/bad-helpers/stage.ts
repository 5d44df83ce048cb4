/** Programs that stand in for CNI plugins, an OCI runtime and conmon, and misbehave while a file tells them to. */
import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../../support/daemon/crictl.ts";
import { bridgeNetwork, type Daemon } from "../../support/daemon/index.ts";
import { takeInventory } from "../../support/node/index.ts";
import { projectRoot } from "../../support/paths.ts";
import { expectAsBefore, expectRefusal, type Refusal } from "../bad-input/refusal.ts";
import { execText, goodContainer, hostNetworkPod, openScene, type Scene } from "../bad-input/scene.ts";

export const folder = "/run/bad-input/helpers";
const modes = join(folder, "modes");

/** The plugins first and third of the chain, the runtime and the monitor; and a runtime of which no more is asked than to hang. */
export type Helper = "first" | "third" | "runtime" | "conmon" | "stuck";

/** From now on the helper does this when it is asked for that: `setMode("runtime", "create:fail delete:fail")`. */
export async function setMode(helper: Helper, mode: string): Promise<void> {
  await writeFile(join(modes, helper), mode);
}

/** They do what they are for; those that hang go on. `stuck` is not among the default ones. */
export async function heal(helpers: readonly Helper[] = ["first", "third", "runtime", "conmon"]): Promise<void> {
  for (const helper of helpers) await rm(join(modes, helper), { force: true });
}

/** While the file with its mode is there; then it goes on as if nothing had been. */
const hang = `while [ -e ${modes}/$name ]; do sleep 0.05; done`;

/** Passes on what it was told, as a plugin of a chain does; as the first it has nothing to pass on. */
const plugin = `#!/bin/sh
name=\${0##*/}
input=$(cat)
[ "$CNI_COMMAND" != VERSION ] || { echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}'; exit 0; }
case "$(cat ${modes}/$name 2>/dev/null)" in
"$CNI_COMMAND:fail") echo '{"cniVersion":"1.0.0","code":100,"msg":"the cable is cut","details":"by a digger"}'; exit 1;;
"$CNI_COMMAND:words") echo "no cable at all" >&2; exit 4;;
"$CNI_COMMAND:silent") exit 3;;
"$CNI_COMMAND:die") kill -9 $$;;
"$CNI_COMMAND:garbage") echo "this is no JSON"; exit 0;;
"$CNI_COMMAND:empty") exit 0;;
"$CNI_COMMAND:endless") exec yes;;
"$CNI_COMMAND:hang") ${hang};;
esac
[ "$CNI_COMMAND" = ADD ] || exit 0
case "$input" in
*'"prevResult":'*) previous="\${input#*\\"prevResult\\":}"; printf '%s' "\${previous%\\}}";;
*) echo '{"cniVersion":"1.0.0","interfaces":[],"ips":[]}';;
esac
`;

/** Waits in the kernel, in state D, as long as the file is there. */
const uninterruptible = join(projectRoot, "tests/host/bad-helpers/uninterruptible.ts");

/** crun with a will of its own, at one or more of its commands. The command is the first word that is one. */
const runtime = `#!/bin/sh
name=\${0##*/}
for word; do
  case $word in create | start | kill | delete | state | exec | update) command=$word; break;; esac
done
case " $(cat ${modes}/$name 2>/dev/null) " in
*" $command:fail "*) echo "no wish to $command" >&2; exit 1;;
*" $command:die "*) kill -9 $$;;
*" $command:half "*) /usr/bin/crun "$@"; echo "tired after $command" >&2; exit 1;;
*" $command:hang "*) ${hang};;
*" $command:sleep "*) sleep 1000;;
*" $command:stop "*) kill -STOP $$;;
*" $command:uninterruptible "*) ${process.execPath} ${uninterruptible} ${modes}/$name;;
esac
exec /usr/bin/crun "$@"
`;

/** conmon with a will of its own. Descriptor 3 is where it tells what became of the container. */
const conmon = `#!/bin/sh
name=conmon
case "$*" in *--version*) exec /usr/bin/conmon "$@";; esac
case "$(cat ${modes}/$name 2>/dev/null)" in
words) echo "conmon will not" >&2; exit 1;;
silent) exit 0;;
die) kill -9 $$;;
garbage) echo "this is no JSON" >&3; exit 0;;
endless) exec cat /dev/zero >&3;;
says-no) printf '{"pid": -1, "message": "conmon says no\\\\n"}\\n' >&3; exit 0;;
lies) printf '{"pid": 4194303}\\n' >&3; exit 0;;
hang) ${hang};;
after)
  previous=
  for word; do [ "$previous" != -P ] || pidfile=$word; previous=$word; done
  /usr/bin/conmon "$@" 3>&- &
  while ! [ -s "$pidfile" ]; do sleep 0.01; done
  kill -9 "$(cat "$pidfile")"
  exit 0;;
esac
exec /usr/bin/conmon "$@"
`;

/** Handlers and networks made of the helpers. */
export async function writeHelpers(): Promise<void> {
  await mkdir(modes, { recursive: true });
  await mkdir(join(folder, "plugins"), { recursive: true });
  const write = (path: string, text: string) => writeFile(join(folder, path), text, { mode: 0o755 });
  for (const name of ["first", "third"]) await write(`plugins/${name}`, plugin);
  for (const name of ["runtime", "stuck"]) await write(name, runtime);
  await write("conmon", conmon);
}

const [bridge, portmap] = bridgeNetwork.plugins;
export const chain = { ...bridgeNetwork, plugins: [{ type: "first" }, bridge, { type: "third" }, portmap] };

export const handlers = `
[crio.runtime.runtimes.wrapped]
runtime_path = "${folder}/runtime"
runtime_root = "/run/crun"
monitor_cgroup = "pod"
container_create_timeout = 30

[crio.runtime.runtimes.stuck]
runtime_path = "${folder}/stuck"
runtime_root = "/run/crun"
monitor_cgroup = "pod"
container_create_timeout = 30

[crio.runtime.runtimes.monitored]
runtime_path = "/usr/bin/crun"
runtime_root = "/run/crun"
monitor_path = "${folder}/conmon"
monitor_cgroup = "pod"
container_create_timeout = 30
`;

/** A daemon whose helpers may be told to misbehave, and a pod that has nothing to do with it. */
export interface Stage extends Scene {
  /** Rejects when the other pod has been disturbed, or does not answer. */
  checkBystander(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  await writeHelpers();
  await heal();
  const scene = await openScene({ config: handlers, cni: chain, pluginDirs: [join(folder, "plugins")] });
  const { cri } = scene;
  const sandboxConfig = hostNetworkPod("bystander");
  const { podSandboxId } = await cri.runtime.runPodSandbox({ config: sandboxConfig });
  const config = goodContainer("bystander");
  const { containerId } = await cri.runtime.createContainer({ podSandboxId, sandboxConfig, config });
  await cri.runtime.startContainer({ containerId });
  const look = async () => {
    const { status, info } = await cri.runtime.containerStatus({ containerId, verbose: true });
    const { pid } = JSON.parse(info.info ?? "{}") as { readonly pid?: number }; // the daemon's own words
    return { state: status?.state, startedAt: status?.startedAt, pid };
  };
  const before = await look();
  return {
    ...scene,
    async checkBystander() {
      assert.deepEqual(await look(), before);
      assert.equal(await execText(cri, containerId, "echo", "undisturbed"), "undisturbed\n");
      const pod = await cri.runtime.podSandboxStatus({ podSandboxId });
      assert.equal(pod.status?.state, 0);
    },
    async [Symbol.asyncDispose]() {
      await heal();
      await cri.runtime.stopContainer({ containerId, timeout: 0n });
      await cri.runtime.removePodSandbox({ podSandboxId });
      await scene[Symbol.asyncDispose]();
    },
  };
}

export interface Trial {
  readonly helper: Helper;
  readonly mode: string;
  /** What is asked for while the helper misbehaves, which must be refused. */
  readonly request: () => Promise<unknown>;
  readonly refusal: Refusal;
  /** The same request with what follows when it is granted, and the removal of what it made. */
  readonly works: () => Promise<unknown>;
}

/** A request fails in words and leaves nothing, other pods are not disturbed, and it succeeds once the cause is gone. */
export async function failsUntilHealed(stage: Stage, trial: Trial): Promise<void> {
  const before = await takeInventory();
  await setMode(trial.helper, trial.mode);
  await expectRefusal(trial.request(), trial.refusal);
  await expectAsBefore(before);
  await stage.checkBystander();
  await heal([trial.helper]);
  await trial.works();
  await expectAsBefore(before);
}

/** Waits until the daemon has logged something that matches. */
export async function untilLogged(daemon: Daemon, words: RegExp): Promise<void> {
  await eventually(`the log says ${words}`, async () => words.test(await daemon.log()));
}
