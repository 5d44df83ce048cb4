import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../programs.ts";

/** Mount points that come and go with systemd's own work in the virtual machine. */
const systemMounts = /^\/(run\/(credentials|user|systemd)|proc\/sys\/fs\/binfmt_misc|dev\/hugepages)(\/|$)/;
/** Cgroups and processes of the system itself, which come and go by timers. */
const systemCgroups =
  /\/(init\.scope|user\.slice|proc-sys-fs-binfmt_misc\.mount|system\.slice\/(systemd-|dbus|modprobe|vm-run|apparmor|crio-ts)[^/]*)(\/|$)/;

/** Mounts of this namespace: `mount point, type, source, root`. */
export async function listMounts(): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).trimEnd().split("\n");
  return lines.flatMap((line) => {
    const [place = "", filesystem = ""] = line.split(" - ");
    const [, , , root = "", mountPoint = ""] = place.split(" ");
    const [type = "", source = ""] = filesystem.split(" ");
    return systemMounts.test(mountPoint)
      ? []
      : [`${mountPoint} ${type} of ${source}${root === "/" ? "" : ` (${root})`}`];
  });
}

/** Network namespaces that a process is in. Those held by a bind mount alone are among the mounts. */
export async function listNetworkNamespaces(): Promise<string[]> {
  const links = await Promise.all((await processIds()).map((pid) => readlink(`/proc/${pid}/ns/net`).catch(() => "")));
  return [...new Set(links)].filter((link) => link !== "");
}

/** Network interfaces of this namespace but bridges, which a bridge plugin leaves for the next pod. */
export async function listInterfaces(): Promise<string[]> {
  const names = await readdir("/sys/class/net");
  const bridges = await Promise.all(
    names.map((name) =>
      readdir(`/sys/class/net/${name}/bridge`).then(
        () => true,
        () => false,
      ),
    ),
  );
  return names.filter((_, index) => !bridges[index]);
}

/** iptables rules that a CNI plugin made for one container: its own chains and what jumps to them. */
export async function listPortRules(): Promise<string[]> {
  const rules: string[] = [];
  for (const program of ["iptables-save", "ip6tables-save"]) {
    const saved = await run([program], { timeoutMs: 20_000 }).catch(() => undefined);
    const lines = saved?.stdout.split("\n") ?? [];
    rules.push(
      ...lines.filter((line) => /CNI-(DN-|SN-|UN-)?[0-9a-f]{10,}/.test(line)).map((line) => `${program}: ${line}`),
    );
  }
  return rules;
}

const parentOfAll = /^\/sys\/fs\/cgroup(\/[a-z,_]+)?\/crio$/;

/** Directories of every cgroup hierarchy. */
export async function listCgroups(): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries.filter((each) => each.isDirectory())) {
      const path = join(folder, entry.name);
      if (systemCgroups.test(path)) continue;
      // The parent of containers whose pod names none: like a slice, it stays.
      if (!parentOfAll.test(path)) found.push(path);
      await walk(path);
    }
  };
  await walk("/sys/fs/cgroup");
  return found;
}

/** Processes but kernel threads, this one and the system's own: `command (pid, state)`. */
export async function listProcesses(): Promise<string[]> {
  const lines = await Promise.all((await processIds()).filter((pid) => pid !== process.pid).map(describeProcess));
  return lines.filter((line) => line !== undefined);
}

async function describeProcess(pid: number): Promise<string | undefined> {
  const read = (file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
  const [stat, commandLine, cgroup] = [await read("stat"), await read("cmdline"), await read("cgroup")];
  // pid (name) state parent …; the name may hold anything
  const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  const [state = "", parent = ""] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (stat === "" || parent === "2" || pid === 2 || systemCgroups.test(cgroup)) return undefined;
  const command = commandLine.replaceAll("\0", " ").trim().slice(0, 200) || `[${name}]`;
  return `${command} (pid ${pid}${state === "Z" ? ", zombie" : ""})`;
}

async function processIds(): Promise<number[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
}
