/** What a container may do is what was asked for, and annotations are no way around that (attack classes 11, 12, 14, 15 and 16). */
import assert from "node:assert/strict";
import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { leavesNothing } from "../bad-input/refusal.ts";
import {
  type ContainerConfig,
  type CreateRequest,
  execText,
  goodContainer,
  goodPod,
  mode,
  type Scene,
  withContainer,
} from "../bad-input/scene.ts";

/** Annotations that make crio or a runtime do something; those of CRI-O's own list and names that begin so. */
const powers = [
  "bundle",
  "cgroup2-mount-hierarchy-rw.crio.io",
  "cpu-quota.crio.io",
  "devices.crio.io",
  "io.containers.trace-syscall",
  "io.kubernetes.cri-o.Devices",
  "io.kubernetes.cri-o.ShmSize",
  "io.kubernetes.cri-o.Spoofed",
  "io.kubernetes.cri-o.userns-mode",
  "io.kubernetes.cri.container-type",
  "io.kubernetes.cri.rdt-class",
  "irq-load-balancing.crio.io",
  "link-logs.crio.io",
  "module.wasm.image/variant",
  "org.criu.config",
  "org.systemd.property.ExecStartPre",
  "platform-runtime-path.crio.io",
  "run.oci.handler",
  "run.oci.hooks.stderr",
  "run.oci.mount_context_type",
  "run.oci.keep_original_groups",
  "seccomp-profile.crio.io",
  "shm-size.crio.io",
  "umask.crio.io",
  "unified-cgroup.crio.io",
  "userns-mode.crio.io",
];
const forbidden = powers.flatMap((name) => [name, `${name}/app`, `${name}.app`, `${name}x`]);

/** Capabilities that a container has by default (reference: config.md), as the kernel's mask. */
const capabilityBits = { chown: 0, dacOverride: 1, fowner: 3, fsetid: 4, kill: 5, setgid: 6, setuid: 7, setpcap: 8 };
const netBindService = 10;
const netAdmin = 12;
const maskOf = (...bits: readonly number[]) => bits.reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n);
const defaults = maskOf(...Object.values(capabilityBits), netBindService);

type Security = NonNullable<NonNullable<ContainerConfig["linux"]>["securityContext"]>;

/** How systemd's own parts reach the bus. */
const systemdBus = / @[0-9a-f]+\/bus\/systemd/;

export function confinement(scene: () => Scene): void {
  describe("the confinement of a container", () => {
    const annotations = Object.fromEntries(forbidden.map((name) => [name, "2Mi"]));
    const sandboxConfig = goodPod("confined", { annotations: { ...annotations, "example.org/kept": "yes" } });
    let podSandboxId = "";
    before(async () => {
      ({ podSandboxId } = await scene().cri.runtime.runPodSandbox({ config: sandboxConfig }));
    });
    after(() => scene().cri.runtime.removePodSandbox({ podSandboxId }));
    const request = (security: Security = {}, more: ContainerConfig = {}): CreateRequest => ({
      podSandboxId,
      sandboxConfig,
      config: goodContainer("app", {
        linux: { securityContext: { namespaceOptions: { pid: mode.container }, ...security } },
        ...more,
      }),
    });
    const inContainer = <T>(create: CreateRequest, use: (id: string) => Promise<T>) =>
      leavesNothing(() => withContainer(scene().cri, create, use));

    it("is not changed by annotations that its handler does not allow", async () => {
      const { cri } = scene();
      const config = { annotations: { ...annotations, "example.org/kept": "yes" }, labels: { "run.oci.label": "x" } };
      await inContainer(request({}, config), async (containerId) => {
        for (const id of [podSandboxId, containerId]) {
          const written = await annotationsOf(id);
          const leaked = Object.keys(written).filter((name) => forbidden.includes(name) && written[name] === "2Mi");
          assert.deepEqual(leaked, []);
          assert.equal(written["example.org/kept"], "yes");
        }
        const { status } = await cri.runtime.containerStatus({ containerId });
        assert.equal(status?.annotations["example.org/kept"], "yes");
        assert.match(await execText(cri, containerId, "cat", "/proc/mounts"), / \/dev\/shm tmpfs .*size=65536k/);
      });
    });

    it("gives a process the capabilities asked for and no others, and none to hand on", async () => {
      const { cri } = scene();
      const cases: readonly (readonly [Security, bigint])[] = [
        [{}, defaults],
        [{ capabilities: { dropCapabilities: ["ALL"] } }, 0n],
        [{ capabilities: { dropCapabilities: ["all"], addCapabilities: ["net_admin"] } }, maskOf(netAdmin)],
        [{ capabilities: { addCapabilities: ["CAP_NET_ADMIN"] } }, defaults | maskOf(netAdmin)],
        [
          { capabilities: { dropCapabilities: ["KILL", "CAP_CHOWN"] } },
          defaults & ~maskOf(capabilityBits.kill, capabilityBits.chown),
        ],
      ];
      for (const [security, mask] of cases) {
        await inContainer(request(security), async (id) => {
          for (const file of ["/proc/1/status", "/proc/self/status"]) {
            const text = await execText(cri, id, "cat", file);
            const set = (name: string) => BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, "m").exec(text)?.[1]}`);
            const what = `${JSON.stringify(security)} ${file}`;
            assert.equal(set("CapInh"), 0n, what);
            assert.equal(set("CapAmb"), 0n, what);
            for (const name of ["CapPrm", "CapEff", "CapBnd"]) assert.equal(set(name), mask, `${what} ${name}`);
          }
        });
      }
    });

    it("leaves a process no open file of the daemon, the monitor or the runtime", async () => {
      const { cri } = scene();
      const lister = ["sh", "-c", "ls -l /proc/self/fd > /tmp/fds; exec sleep 1000"];
      await inContainer(request({}, { command: lister }), async (id) => {
        for (const listing of [
          await execText(cri, id, "cat", "/tmp/fds"),
          await execText(cri, id, "ls", "-l", "/proc/self/fd"),
        ]) {
          const links = listing.split("\n").flatMap((line) => /(\d+) -> (.*)$/.exec(line)?.slice(1, 3).join(" ") ?? []);
          // ls has its own directory open besides
          const extra = links.filter(
            (link) => !/^[012] /.test(link) && !/^3 \/proc\//.test(link) && !/\/tmp\/fds$/.test(link),
          );
          assert.deepEqual(extra, []);
        }
      });
    });

    it("is not helped by files that others may write, nor by sockets that have no file", async () => {
      await inContainer(request(), async () => {
        const open: string[] = [];
        for (const root of ["/run/crio", "/run/crun", "/run/containers", "/var/lib/containers/storage"]) {
          await collectOpen(root, open);
        }
        assert.deepEqual(open, []);
        const sockets = (await readFile("/proc/net/unix", "utf8"))
          .split("\n")
          .filter((line) => line.includes(" @") && !systemdBus.test(line));
        assert.deepEqual(sockets, []);
        const { mode: socket } = await lstat(scene().daemon.socket);
        assert.equal(socket & 0o777, 0o660);
        // The store's own directory may be there before any daemon; what is in it is the daemon's.
        for (const part of ["overlay", "overlay-images", "overlay-layers", "overlay-containers"]) {
          const { mode: store } = await lstat(`/var/lib/containers/storage/${part}`);
          assert.equal(store & 0o077, 0, `${part} of the store is root's alone`);
        }
      });
    });
  });
}

/** What others than root and its group may write, or list, below `path`; layers' own content is the images' business. */
async function collectOpen(path: string, found: string[]): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isSymbolicLink() || /\/(diff|merged|work|shm)$/.test(child)) continue;
    const { mode } = await lstat(child);
    if ((mode & 0o002) !== 0) found.push(`${child} may be written by all: ${(mode & 0o7777).toString(8)}`);
    if (entry.isDirectory()) await collectOpen(child, found);
  }
}

async function annotationsOf(id: string): Promise<Record<string, string>> {
  const path = `/var/lib/containers/storage/overlay-containers/${id}/userdata/config.json`;
  const spec = JSON.parse(await readFile(path, "utf8")) as { readonly annotations: Record<string, string> }; // the daemon's own file
  return spec.annotations;
}
