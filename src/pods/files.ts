import { chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault } from "../base/index.ts";
import { mountTmpfs, readBounded, unmount, writeFileAtomic } from "../host/index.ts";
import type { DnsConfig } from "./config.ts";

/** The host's resolver configuration, which pods without one of their own get a copy of. */
const hostResolvConf = "/etc/resolv.conf";
const maxResolvConfBytes = 1 << 20;

/** Size of /dev/shm unless an annotation says otherwise. */
export const defaultShmBytes = 64n << 20n;

/** Owner of the pod's root user on the host. */
export interface RootOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Writes the pod's resolv.conf to RunDir and gives its path. */
export async function writeResolvConf(runDir: string, dns: DnsConfig | undefined): Promise<string> {
  const path = join(runDir, "resolv.conf");
  await writeFileAtomic(path, dns === undefined || isEmpty(dns) ? await hostCopy() : resolvConf(dns), {
    mode: 0o644,
    durable: false,
  });
  return path;
}

/** resolv.conf(5) from the request. Values with control characters are refused: they would become lines of their own. */
export function resolvConf(dns: DnsConfig): string {
  for (const value of [...dns.servers, ...dns.searches, ...dns.options]) {
    if (/[\u0000-\u001f\u007f\u0085\u2028\u2029]/.test(value)) {
      throw new Fault("invalid", `DNS value ${JSON.stringify(value)} holds a control character`);
    }
  }
  const lines: string[] = [];
  if (dns.searches.length > 0) lines.push(`search ${dns.searches.join(" ")}`);
  lines.push(...dns.servers.map((server) => `nameserver ${server}`));
  if (dns.options.length > 0) lines.push(`options ${dns.options.join(" ")}`);
  return lines.map((line) => `${line}\n`).join("");
}

/** Writes the pod's hostname file to RunDir and gives its path. */
export async function writeHostname(runDir: string, hostname: string, owner: RootOwner): Promise<string> {
  const path = join(runDir, "hostname");
  await writeFileAtomic(path, `${hostname}\n`, { mode: 0o644, durable: false });
  await chown(path, owner.uid, owner.gid);
  return path;
}

/** Mounts the pod's /dev/shm, a tmpfs of its own, under RunDir and gives its path. */
export async function mountShm(
  runDir: string,
  { sizeBytes, owner, label }: { readonly sizeBytes: bigint; readonly owner: RootOwner; readonly label: string },
): Promise<string> {
  const path = join(runDir, "shm");
  await mkdir(path, { recursive: true, mode: 0o700 });
  mountTmpfs({ target: path, sizeBytes, mode: "1777", flags: ["noexec", "nosuid", "nodev"], label });
  await chown(path, owner.uid, owner.gid);
  return path;
}

/** Unmounts the pod's /dev/shm. Idempotent; the host's own is left alone. */
export function releaseShm(runDir: string): void {
  unmount(join(runDir, "shm"), { detach: true });
}

function isEmpty(dns: DnsConfig): boolean {
  return dns.servers.length === 0 && dns.searches.length === 0 && dns.options.length === 0;
}

async function hostCopy(): Promise<Buffer> {
  try {
    return await readBounded(hostResolvConf, maxResolvConfBytes);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}
