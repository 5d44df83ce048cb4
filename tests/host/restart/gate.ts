import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../../support/daemon/crictl.ts";

/** A program that waits at one of its commands while a gate is closed, and then is another program. */
export interface Gate extends AsyncDisposable {
  /** Where the program is. */
  readonly dir: string;
  readonly path: string;
  close(): Promise<void>;
  open(): Promise<void>;
  /** What came to the gate so far: one line for each time. */
  arrivals(): Promise<readonly string[]>;
  /** Waits until so many have come. */
  untilArrived(count: number): Promise<void>;
}

/** The CNI plugin `name` that waits at ADD; its arrivals are the ids of pods. */
export async function gatedPlugin(name: string, program: string): Promise<Gate> {
  return await makeGate({ name, program, isIt: '[ "$CNI_COMMAND" = ADD ]', tell: "$CNI_CONTAINERID" });
}

/** The OCI runtime `name` that waits at `create`; its arrivals are the commands. */
export async function gatedRuntime(name: string, program: string): Promise<Gate> {
  return await makeGate({ name, program, isIt: 'case " $* " in *" create "*) true;; *) false;; esac', tell: "$*" });
}

async function makeGate(plan: {
  readonly name: string;
  readonly program: string;
  readonly isIt: string;
  readonly tell: string;
}): Promise<Gate> {
  const dir = await mkdtemp("/run/gate-");
  const [path, log, closed] = [join(dir, "bin", plan.name), join(dir, "arrivals"), join(dir, "closed")];
  const script = `#!/bin/sh
if ${plan.isIt}; then
  echo "${plan.tell}" >>${log}
  while [ -e ${closed} ]; do sleep 0.05; done
fi
exec ${plan.program} "$@"
`;
  await mkdir(join(dir, "bin"));
  await writeFile(path, script);
  await chmod(path, 0o755);
  const arrivals = async () => (await readFile(log, "utf8").catch(() => "")).split("\n").slice(0, -1);
  return {
    dir: join(dir, "bin"),
    path,
    close: () => writeFile(closed, ""),
    open: () => rm(closed, { force: true }),
    arrivals,
    untilArrived: async (count) => {
      await eventually(`${count} at the gate`, async () => (await arrivals()).length >= count);
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}
