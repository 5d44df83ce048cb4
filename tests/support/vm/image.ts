import { chmod, copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached, contentKey, contentOf } from "../cache.ts";
import { mustRun } from "../programs.ts";
import { userland, userlandKey } from "../userland/index.ts";

const diskSize = "8G"; // sparse
const guestFiles = ["vm-run", "vm-run.service", "masked-units.txt"].map(
  (name) => new URL(`guest/${name}`, import.meta.url),
);

/**
 * The guest's disk: the nodes' userland with systemd set up to run one command, as a sparse ext4 image. Cached; a guest
 * writes to a copy-on-write file of its own.
 */
export async function guestImage(say: (text: string) => void = () => {}): Promise<string> {
  const root = await userland(say);
  const key = contentKey(
    await userlandKey(),
    ...(await contentOf([...guestFiles, new URL("image.ts", import.meta.url)])),
  );
  const build = async (path: string) => {
    say("making the disk of the virtual machine");
    const folder = `${path}.root`;
    try {
      await mustRun(["cp", "-a", "--reflink=auto", root, folder]);
      await setUpGuest(folder);
      await mustRun(["truncate", "-s", diskSize, path]);
      const options = ["-q", "-F", "-L", "vmroot", "-O", "^has_journal", "-E", "lazy_itable_init=1,discard"];
      await mustRun(["nice", "mkfs.ext4", ...options, "-d", folder, path]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
  return cached({ name: "vm/disk", key, build });
}

/** Turns a copy of the userland into one that systemd boots quickly, quietly, and into `vm-run`. */
async function setUpGuest(root: string): Promise<void> {
  const at = (path: string) => join(root, path);
  const units = at("etc/systemd/system");
  await writeFile(at("etc/hostname"), "vmtest\n");
  await mkdir(join(units, "multi-user.target.wants"), { recursive: true });
  await mkdir(at("usr/local/sbin"), { recursive: true });
  await copyGuestFile("vm-run", at("usr/local/sbin/vm-run"));
  await chmod(at("usr/local/sbin/vm-run"), 0o755);
  await copyGuestFile("vm-run.service", join(units, "vm-run.service"));
  await symlink("../vm-run.service", join(units, "multi-user.target.wants/vm-run.service"));
  await symlink("/usr/lib/systemd/system/multi-user.target", join(units, "default.target"));
  for (const unit of await maskedUnits()) {
    await rm(join(units, unit), { force: true });
    await symlink("/dev/null", join(units, unit));
  }
  await addFile(root, "etc/systemd/journald.conf.d/vm.conf", "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n");
  // udev would give each new veth and bridge another MAC address, and CNI's CHECK compares them
  await addFile(
    root,
    "etc/systemd/network/10-cni.link",
    "[Match]\nDriver=veth bridge\n[Link]\nMACAddressPolicy=none\n",
  );
  await keepFewProfiles(at("etc/apparmor.d"));
}

/** Debian ships about a hundred AppArmor profiles, and loading them takes seconds; the container tools' own stay. */
async function keepFewProfiles(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const stays = !entry.isFile() || /crun|runc|podman|unprivileged_userns/.test(entry.name);
    if (!stays) await rm(join(folder, entry.name));
  }
}

async function maskedUnits(): Promise<string[]> {
  const text = await readFile(new URL("guest/masked-units.txt", import.meta.url), "utf8");
  return text.trim().split("\n");
}

function copyGuestFile(name: string, target: string): Promise<void> {
  return copyFile(fileURLToPath(new URL(`guest/${name}`, import.meta.url)), target);
}

async function addFile(root: string, path: string, text: string): Promise<void> {
  await mkdir(join(root, path, ".."), { recursive: true });
  await writeFile(join(root, path), text);
}
