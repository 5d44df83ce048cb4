import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface DemoConfiguration {
  readonly dir: string;
  readonly runtime: string;
  readonly manager: "systemd" | "cgroupfs";
  /** `host:port` of the loopback registry. */
  readonly registry: string;
}

/** Of this demonstration alone, so that no network of the machine is touched. */
export const bridgeName = "crio-ts0";
const subnet = "10.89.89.0/24";

/** What the defaults cannot know: where this machine has its plugins, which runtime works, a network, and the loopback registry. */
export async function writeConfiguration({ dir, runtime, manager, registry }: DemoConfiguration): Promise<void> {
  await mkdir(join(dir, "crio.conf.d"), { recursive: true });
  await mkdir(join(dir, "net.d"), { recursive: true });
  const monitorCgroup = manager === "systemd" ? "system.slice" : "pod";
  await writeFile(
    join(dir, "crio.conf.d/10-run.conf"),
    `[crio.runtime]
cgroup_manager = "${manager}"
default_runtime = "${runtime}"

[crio.runtime.runtimes.${runtime}]
monitor_cgroup = "${monitorCgroup}"

[crio.image]
pause_image = "${registry}/pause:3.10.1"
signature_policy = "${join(dir, "policy.json")}"

[crio.network]
network_dir = "${join(dir, "net.d")}"
plugin_dirs = ["/opt/cni/bin", "/usr/lib/cni"]
`,
  );
  // A machine without podman and the like has none of its own, and no image is used without.
  await writeFile(join(dir, "policy.json"), JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
  await writeFile(join(dir, "registries.conf"), `[[registry]]\nlocation = "${registry}"\ninsecure = true\n`);
  const network = {
    cniVersion: "1.0.0",
    name: "crio-ts-run",
    plugins: [
      {
        type: "bridge",
        bridge: bridgeName,
        isGateway: true,
        ipMasq: true,
        ipam: { type: "host-local", ranges: [[{ subnet }]], routes: [{ dst: "0.0.0.0/0" }] },
      },
    ],
  };
  await writeFile(join(dir, "net.d/10-crio-ts.conflist"), JSON.stringify(network, undefined, 2));
}
