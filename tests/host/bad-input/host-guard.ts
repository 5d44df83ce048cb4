/** Whether the host is still as it was: its sysctls, and the files that are nobody's but its own. */
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheRoot } from "../../support/cache.ts";
import { projectRoot } from "../../support/paths.ts";
import { mustRun } from "../../support/programs.ts";

/** Counters and clocks that tick by themselves, and what has no stable value. */
const restless =
  /^\/proc\/sys\/(fs\/(aio-nr|dentry-state|file-nr|inode-nr|inode-state|quota)|kernel\/(random\/|ns_last_pid|pty\/nr|sched_domain|cad_pid|perf_)|net\/netfilter\/nf_conntrack_count|net\/ipv[46]\/(conf|neigh)\/(?!all|default)|user\/)/;

/** Where daemons, plugins and tests keep what is theirs; systemd its journal and the pods' units. */
const ownTrees =
  /^\/(run\/(containers|crio|crun|runc|netns|ipcns|utsns|pidns|crio-test-|bad-input|xtables\.lock|cni|node-report|registry|lock|log\/journal|systemd\/(transient|units))|var\/(lib\/(cni|containers|crio)|log\/(pods|crio))(\/|$))/;
const roots = ["/", "/tmp", "/run", "/var/tmp", "/var/log", "/var/lib/cni", "/var/lib/crio", "/var/lib/kubelet"];

export interface HostGuard {
  /**
   * Rejects when a sysctl has another value, or a file of the host has changed. A new folder in the root directory whose path stands in
   * one of the `requests` was asked for: it is removed, and not held against anybody.
   */
  check(requests?: readonly string[]): Promise<void>;
}

export async function guardHost(): Promise<HostGuard> {
  const marker = "/run/bad-input-marker";
  const sysctls = await readSysctls();
  const folders = new Set(await readdir("/"));
  await writeFile(marker, "");
  return {
    async check(requests = []) {
      assert.deepEqual(changes(sysctls, await readSysctls()), []);
      for (const name of await readdir("/")) {
        if (!folders.has(name) && requests.some((text) => text.includes(`/${name}`)))
          await rm(join("/", name), { recursive: true });
      }
      assert.deepEqual(await filesNewerThan(marker), []);
    },
  };
}

/** Every sysctl of the caller's namespaces that keeps still, by its file. */
async function readSysctls(): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir("/proc/sys", { withFileTypes: true, recursive: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const values = new Map<string, string>();
  for (const path of paths.filter((each) => !restless.test(each))) {
    const value = await readFile(path, "latin1").catch(() => undefined); // some can only be written
    if (value !== undefined) values.set(path, value);
  }
  return values;
}

function changes(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): readonly string[] {
  return [...before].flatMap(([path, value]) =>
    after.get(path) === value ? [] : [`${path}: ${JSON.stringify(value)} became ${JSON.stringify(after.get(path))}`],
  );
}

/** Files, links and directories outside of the daemon's own trees whose inode or content is newer than the marker's. */
async function filesNewerThan(marker: string): Promise<readonly string[]> {
  const { stdout } = await mustRun([
    "find",
    ...roots,
    "-xdev",
    "-ignore_readdir_race",
    "-cnewer",
    marker,
    "-printf",
    "%p\\n",
  ]);
  // The project itself is shown to the node as it is, and so is the cache: whoever works on them is no daemon.
  const shared = [projectRoot, cacheRoot()];
  const isForeign = (path: string) =>
    path !== "" && !roots.includes(path) && !ownTrees.test(path) && !shared.some((root) => path.startsWith(root));
  const found = stdout.split("\n").filter(isForeign);
  return [...new Set(found)];
}
