import { mkdir } from "node:fs/promises";
import { mustRun } from "../support/programs.ts";

const masquerade = "POSTROUTING -s 127.0.0.1 ! -d 127.0.0.1 -j MASQUERADE".split(" ");

/**
 * Gives this node what critest takes for granted on a host, and what CRI-O's own tests give it, until it is disposed of. No daemon
 * may be running at either moment.
 *
 * - One spec asks for a host port on 127.0.0.1. CRI-O's rules lead there, but the answers find back only where the host masquerades
 *   what leaves loopback (and routes it: net.ipv4.conf.all.route_localnet, which every node has).
 * - One spec skips itself unless the file system of /var/lib can be mounted with mapped ids; the overlay of a node's root cannot. The
 *   state folders below it can already.
 */
export async function prepareHostForCritest(): Promise<AsyncDisposable> {
  await mustRun(["iptables", "-t", "nat", "-I", ...masquerade]);
  await putOnDisk("/var/lib", "/var/tmp/var-lib", ["containers", "cni", "crio", "kubelet"]);
  return {
    async [Symbol.asyncDispose]() {
      await mustRun(["umount", "--recursive", "/var/lib"]);
      await mustRun(["iptables", "-t", "nat", "-D", ...masquerade]);
    },
  };
}

/** Puts a plain folder of the node's disk in the place of `folder`, with the given mounts below it. */
async function putOnDisk(folder: string, plain: string, mountsBelow: readonly string[]): Promise<void> {
  for (const name of mountsBelow) await mkdir(`${plain}/${name}`, { recursive: true });
  await mustRun(["mount", "--bind", plain, "/mnt"]);
  for (const name of mountsBelow) await mustRun(["mount", "--bind", `${folder}/${name}`, `/mnt/${name}`]);
  await mustRun(["mount", "--rbind", "/mnt", folder]);
  await mustRun(["umount", "--recursive", "/mnt"]);
}
