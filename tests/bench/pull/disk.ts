import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { mustRun } from "../../support/programs.ts";

const image = "/var/lib/kubelet/bench.ext4";
const sizeMiB = 24 * 1024;
const loops = 16;

/**
 * A file system of the bench's own, ext4 with its defaults, below the folders that are written to. The machine's may be one
 * that takes its time to make files where others were removed just before (ext4 without a journal), and that is all one would see.
 */
export async function mountBenchDisk(folders: readonly string[]): Promise<void> {
  await makeLoopDevices();
  await mustRun(["truncate", "-s", `${sizeMiB}M`, image]);
  await mustRun(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", image]);
  await mkdir("/mnt/bench", { recursive: true });
  await mustRun(["mount", "-o", "loop", image, "/mnt/bench"]);
  for (const folder of folders) {
    const own = `/mnt/bench${folder}`;
    await mkdir(own, { recursive: true });
    await mustRun(["mount", "--bind", own, folder]);
  }
}

async function makeLoopDevices(): Promise<void> {
  const make = async (path: string, ...device: string[]) => {
    if (!existsSync(path)) await mustRun(["mknod", path, ...device]);
  };
  await make("/dev/loop-control", "c", "10", "237");
  for (let at = 0; at < loops; at++) await make(`/dev/loop${at}`, "b", "7", `${at}`);
}
