import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { installedBusybox } from "../../tests/support/fixtures/index.ts";
import { run } from "../../tests/support/programs.ts";

/** An OCI runtime that can run containers on this machine, and why the ones before it cannot. */
export interface ChosenRuntime {
  readonly name: string;
  readonly version: string;
  readonly rejected: readonly { readonly name: string; readonly version: string; readonly why: string }[];
}

/** In the order of preference. */
const candidates = ["crun", "runc"] as const;
const probeTimeoutMs = 30_000;

/** Runs a container of one command with each candidate, and takes the first that can. Rejects with all their words when none can. */
export async function chooseRuntime(): Promise<ChosenRuntime> {
  const rejected: { name: string; version: string; why: string }[] = [];
  const dir = await mkdtemp("/run/crio-ts-probe-");
  try {
    await makeBundle(dir);
    for (const name of candidates) {
      const why = await reasonAgainst(name, dir);
      if (why === undefined) return { name, version: await versionOf(name), rejected };
      rejected.push({ name, version: await versionOf(name), why });
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  const words = rejected.map(({ name, version, why }) => `  ${name} ${version}: ${why}`).join("\n");
  throw new Error(
    `no OCI runtime can run a container on this machine:\n${words}\nInstall a newer one, or check the cgroup mounts.`,
  );
}

async function reasonAgainst(name: string, dir: string): Promise<string | undefined> {
  const root = join(dir, name);
  const id = `crio-ts-probe-${process.pid}`;
  const done = await run([name, "--root", root, "run", "--bundle", dir, id], { timeoutMs: probeTimeoutMs }).catch(
    (error: unknown) => ({ code: -1, stderr: String(error), stdout: "" }),
  );
  await run([name, "--root", root, "delete", "--force", id]).catch(() => undefined);
  if (done.code === 0) return undefined;
  return `${done.stderr}${done.stdout}`.trim().split("\n").at(-1) ?? `exit code ${done.code}`;
}

async function versionOf(name: string): Promise<string> {
  const stdout = await run([name, "--version"]).then(
    (done) => done.stdout,
    () => "",
  );
  return stdout.split("\n")[0]?.replace(/^\S+ version /, "") ?? "";
}

/** A container as the daemon makes them, as small as it can be. */
async function makeBundle(dir: string): Promise<void> {
  const busybox = installedBusybox();
  if (busybox === undefined) throw new Error("busybox-static is not installed");
  await mkdir(join(dir, "rootfs/proc"), { recursive: true });
  await copyFile(busybox, join(dir, "rootfs/busybox"));
  const kinds = ["pid", "network", "ipc", "uts", "mount"];
  const spec = {
    ociVersion: "1.2.1",
    process: { user: { uid: 0, gid: 0 }, args: ["/busybox", "true"], cwd: "/", env: ["PATH=/"] },
    root: { path: "rootfs" },
    mounts: [{ destination: "/proc", type: "proc", source: "proc" }],
    linux: { namespaces: kinds.map((type) => ({ type })), cgroupsPath: `/crio-ts-probe-${process.pid}` },
  };
  await writeFile(join(dir, "config.json"), JSON.stringify(spec));
}
