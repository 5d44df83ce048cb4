import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { mustRun, run } from "../programs.ts";
import { registryNames } from "../registry/index.ts";

/** What containers need of a host's kernel settings. */
const sysctls: Readonly<Record<string, string>> = {
  "net/ipv4/ip_forward": "1",
  "net/ipv4/conf/all/route_localnet": "1", // host ports on loopback
  "net/ipv6/conf/all/forwarding": "1",
};

/** Makes a fresh node or guest look like a host: loopback, a default route, registry names, shared mounts. */
export async function prepareWorld(): Promise<void> {
  await mustRun(["mount", "--make-rshared", "/"]);
  await mustRun(["ip", "link", "set", "lo", "up"]);
  if (!existsSync("/sys/class/net/eth0")) await addDeadEnd();
  for (const [name, value] of Object.entries(sysctls)) {
    await writeFile(`/proc/sys/${name}`, value).catch(() => {}); // a kernel without IPv6 has no such file
  }
  const names = registryNames.map((name) => `127.0.0.1 ${name}\n`).join("");
  await writeFile("/etc/hosts", `127.0.0.1 localhost ${hostname()}\n::1 localhost\n${names}`);
}

/** An interface with a default route that leads nowhere: plugins look for one, and nothing may leave the node. */
async function addDeadEnd(): Promise<void> {
  await mustRun(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0-peer"]);
  await mustRun(["ip", "address", "add", "198.18.0.2/24", "dev", "eth0"]);
  await mustRun(["ip", "link", "set", "eth0-peer", "up"]);
  await mustRun(["ip", "link", "set", "eth0", "up"]);
  await mustRun(["ip", "route", "add", "default", "via", "198.18.0.1", "dev", "eth0"]);
  await run(["ip", "-6", "address", "add", "2001:db8::2/64", "dev", "eth0", "nodad"]);
}
