import { existsSync } from "node:fs";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { mustRun, run } from "../support/programs.ts";

const masquerade = "POSTROUTING -s 127.0.0.1 ! -d 127.0.0.1 -j MASQUERADE".split(" ");
const overlayMagic = 0x794c7630;
const plainSudo = "/usr/local/bin/sudo";

/**
 * Gives this node what critest takes for granted on a host, and what CRI-O's own tests give it, until it is disposed of. No daemon
 * may be running at either moment.
 *
 * - One spec asks for a host port on 127.0.0.1. CRI-O's rules lead there, but the answers find back only where the host masquerades
 *   what leaves loopback (and routes it: net.ipv4.conf.all.route_localnet, which every node has).
 * - One spec skips itself unless the file system of /var/lib can be mounted with mapped ids; an overlay, such as the root of a node,
 *   cannot. The state folders below it are on disk already.
 * - Pods go into test.slice, which systemd makes for the first of them and keeps, as it does the kubelet's.
 * - The AppArmor specs load their profiles by `sudo apparmor_parser`. Whoever runs them is root.
 */
export async function prepareHostForCritest(): Promise<AsyncDisposable> {
  const undo = new AsyncDisposableStack();
  await mustRun(["iptables", "-t", "nat", "-I", ...masquerade]);
  undo.defer(async () => void (await mustRun(["iptables", "-t", "nat", "-D", ...masquerade])));
  if ((await statfs("/var/lib")).type === overlayMagic) {
    await putOnDisk("/var/lib", "/var/tmp/var-lib", ["containers", "cni", "crio", "kubelet"]);
    undo.defer(async () => void (await mustRun(["umount", "--recursive", "/var/lib"])));
  }
  if (!existsSync("/usr/bin/sudo")) {
    await writeFile(plainSudo, '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
    undo.defer(() => rm(plainSudo));
  }
  if (existsSync("/run/systemd/system")) undo.defer(async () => void (await run(["systemctl", "stop", "test.slice"])));
  return undo;
}

/** Puts a plain folder of the node's disk in the place of `folder`, with the given mounts below it. */
async function putOnDisk(folder: string, plain: string, mountsBelow: readonly string[]): Promise<void> {
  for (const name of mountsBelow) await mkdir(`${plain}/${name}`, { recursive: true });
  await mustRun(["mount", "--bind", plain, "/mnt"]);
  for (const name of mountsBelow) await mustRun(["mount", "--bind", `${folder}/${name}`, `/mnt/${name}`]);
  await mustRun(["mount", "--rbind", "/mnt", folder]);
  await mustRun(["umount", "--recursive", "/mnt"]);
}
