import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cached, contentKey, contentOf } from "../cache.ts";
import { mustRun } from "../programs.ts";
import { debianMirror } from "./mirror.ts";

const suite = "trixie";
const packageList = new URL("packages.txt", import.meta.url);
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const leftOut = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"];

/**
 * The root file system of nodes and of the virtual machine: Debian 13 with today's container tools, as a folder. Made once
 * by mmdebstrap (about a minute) and cached by its package list; to be read, never written.
 */
export async function userland(say: (text: string) => void = () => {}): Promise<string> {
  const packages = await packageNames();
  const build = async (path: string) => {
    say(`making the Debian 13 root file system (${packages.length} packages and what they need; once, about a minute)`);
    await bootstrap(path, packages);
  };
  return cached({ name: "userland", key: await userlandKey(), build });
}

/** Changes when the root file system would. */
export async function userlandKey(): Promise<string> {
  return contentKey(suite, ...(await contentOf([packageList, new URL("userland.ts", import.meta.url)])));
}

async function packageNames(): Promise<readonly string[]> {
  const lines = (await readFile(packageList, "utf8")).split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

async function bootstrap(path: string, packages: readonly string[]): Promise<void> {
  const mirror = await debianMirror();
  const excludes = leftOut.map((pattern) => `--dpkgopt=path-exclude=${pattern}`);
  const options = [
    "--quiet",
    "--mode=root",
    "--variant=minbase",
    "--components=main",
    `--keyring=${keyring}`,
    ...excludes,
  ];
  await mustRun(["nice", "mmdebstrap", ...options, `--include=${packages.join(",")}`, suite, path, mirror], {
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
  await settle(path);
}

/** Takes out what a first boot would do and what differs from one build to the next. */
async function settle(root: string): Promise<void> {
  const at = (path: string) => join(root, path);
  await writeFile(at("etc/hostname"), "node\n");
  await writeFile(at("etc/hosts"), "127.0.0.1 localhost\n::1 localhost\n");
  await writeFile(at("etc/resolv.conf"), "nameserver 127.0.0.53\n");
  await writeFile(at("etc/fstab"), "");
  await writeFile(at("etc/machine-id"), "0123456789abcdef0123456789abcdef\n"); // fixed: no first-boot work for systemd
  for (const file of ["etc/subuid", "etc/subgid"]) await writeFile(at(file), "containers:100000:65536\n");
  for (const stamp of ["etc/.updated", "var/.updated"]) await writeFile(at(stamp), "");
  for (const folder of ["var/cache/apt", "var/lib/apt/lists"]) await rm(at(folder), { recursive: true, force: true });
  for (const folder of ["var/lib/containers", "var/lib/cni", "var/lib/crio", "var/lib/kubelet", "opt/cni/bin"]) {
    await mkdir(at(folder), { recursive: true });
  }
}
