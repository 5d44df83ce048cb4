import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { InventoryPaths } from "./inventory.ts";

/** What a daemon that has ended may leave in its run folder: they belong to it, not to a pod. */
const daemonFiles = new Set(["version", "crio.sock", "crio-wipe-done", "clean.shutdown", "clean.shutdown.supported"]);

/** Addresses that host-local has given out, and cached results: `network/address`. */
export async function listLeases(): Promise<string[]> {
  const given = await filesBelow("/var/lib/cni/networks");
  const addresses = given.filter((file) => !/\/(lock|last_reserved_ip[^/]*)$/.test(file));
  return [...addresses, ...(await filesBelow("/var/lib/cni/results")), ...(await filesBelow("/var/lib/cni/cache"))];
}

/** Layers of the store, on disk or recorded, that no image is made of. */
export async function listLayers({ graphRoot, runRoot }: InventoryPaths): Promise<string[]> {
  const layers = await records(join(graphRoot, "overlay-layers"), ["layers.json", "volatile-layers.json"]);
  const images = await records(join(graphRoot, "overlay-images"), ["images.json"]);
  const used = new Set<string>();
  const use = (id: string | undefined): void => {
    if (id === undefined || used.has(id)) return;
    used.add(id);
    use(layers.find((layer) => layer.id === id)?.parent);
  };
  for (const image of images) for (const top of [image.layer, ...(image["mapped-layers"] ?? [])]) use(top);
  const folders = (await names(join(graphRoot, "overlay"))).filter(
    (name) => !["l", "compat", "staging", "tempdirs", ".has-mount-program"].includes(name),
  );
  const staged = (await names(join(graphRoot, "overlay", "staging"))).map((name) => `staging/${name}`);
  const temporary = (await names(join(graphRoot, "overlay", "tempdirs"))).map((name) => `tempdirs/${name}`);
  const mounted = await names(join(runRoot, "overlay-layers")).then((files) =>
    files.filter((file) => !/^(mountpoints\.(json|lock)|\.)/.test(file)),
  );
  return [
    ...layers.filter((layer) => !used.has(layer.id)).map((layer) => `record ${layer.id}`),
    ...folders.filter((name) => !used.has(name)).map((name) => `folder ${name}`),
    ...staged,
    ...temporary,
    ...mounted,
  ];
}

/** Images of the store by name. */
export async function listImages({ graphRoot }: InventoryPaths): Promise<string[]> {
  const images = await records(join(graphRoot, "overlay-images"), ["images.json"]);
  const known = new Set(images.map((image) => image.id));
  const folders = await names(join(graphRoot, "overlay-images"));
  return [
    ...images.map((image) => `${image.id} ${image.names?.join(" ") ?? ""}`),
    ...folders
      .filter((name) => /^[0-9a-f]{64}$/.test(name) && !known.has(name))
      .map((name) => `folder ${name} without a record`),
  ];
}

/** Containers of the store: records, and their folders below the graph root and the run root. */
export async function listStoreContainers({ graphRoot, runRoot }: InventoryPaths): Promise<string[]> {
  const containers = await records(join(graphRoot, "overlay-containers"), [
    "containers.json",
    "volatile-containers.json",
  ]);
  const folders = await Promise.all(
    [graphRoot, runRoot].map(async (root) => {
      const folder = join(root, "overlay-containers");
      return (await names(folder)).filter((name) => !name.includes(".")).map((name) => join(folder, name));
    }),
  );
  return [...containers.map((container) => `record ${container.id}`), ...folders.flat()];
}

/** Files that namespaces are pinned to. */
export async function listPinnedNamespaces(): Promise<string[]> {
  const folders = ["netns", "ipcns", "utsns", "userns", "pidns"].map((name) => join("/var/run", name));
  return (
    await Promise.all(folders.map(async (folder) => (await names(folder)).map((name) => join(folder, name))))
  ).flat();
}

/** What the daemon and OCI runtimes keep below /run for pods and containers. */
export async function listRuntimeState(): Promise<string[]> {
  const daemon = (await filesBelow("/run/crio")).filter((file) => !daemonFiles.has(file.slice("/run/crio/".length)));
  const folders = ["/run/crun", "/run/runc", "/run/runsc", "/run/user/0/crun"];
  const states = await Promise.all(
    folders.map(async (folder) => (await names(folder)).filter(isContainerId).map((name) => join(folder, name))),
  );
  return [...daemon, ...states.flat()];
}

/** Names of containers never begin with a dot; crun keeps compiled seccomp filters in `.cache` beside them. */
function isContainerId(name: string): boolean {
  return !name.startsWith(".");
}

/** The parts of containers/storage records that tell what belongs to what. */
interface StoreRecord {
  readonly id: string;
  readonly parent?: string;
  readonly layer?: string;
  readonly names?: readonly string[];
  readonly "mapped-layers"?: readonly string[];
}

async function records(folder: string, files: readonly string[]): Promise<StoreRecord[]> {
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8").catch(() => "[]")));
  return texts.flatMap((text) => (JSON.parse(text || "[]") ?? []) as StoreRecord[]); // of a store in our own node
}

async function names(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).toSorted();
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}
