/** Sysctls of a pod never become the host's, whatever their names and values (attack classes 1 and 2; reference: cri.md 2.5). */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CriError } from "../../support/daemon/cri.ts";
import { guardHost } from "../bad-input/host-guard.ts";
import { leavesNothing } from "../bad-input/refusal.ts";
import {
  execText,
  goodContainer,
  goodPod,
  mode,
  type PodConfig,
  type Scene,
  withContainer,
  withPod,
} from "../bad-input/scene.ts";
import { lineEnds, separators, shown, spoiled } from "./variants.ts";

const target = "kernel.core_pattern=|/evil";

/** Names that are, or were once taken for, something else than a sysctl of the pod's own namespaces. */
const names: readonly string[] = [
  "kernel.core_pattern",
  "kernel/core_pattern",
  "vm.panic_on_oom",
  "fs.file-max",
  "net/../kernel/core_pattern",
  "net.ipv4/../../kernel/core_pattern",
  "net.../kernel.core_pattern",
  "net..",
  "net.",
  "net",
  "kernel.shm/../core_pattern",
  "kernel.shm_rmid_forced/../../vm/panic_on_oom",
  "kernel.msg*",
  "fs.mqueue.../../../kernel/core_pattern",
  "fs.mqueue.",
  "__proto__",
  "constructor",
  `net.${"a".repeat(5000)}`,
  ...spoiled("net.ipv4.ip_forward", ["+", "=", ";", "\n", "\0", "%", " "], target),
  ...spoiled("kernel.shm_rmid_forced", ["+", "=", ",", "\n", "\0", "'"], target),
];

const values: readonly string[] = [
  "",
  `1+${target}`,
  `1\n${target}`,
  `1 ${target}`,
  "-1",
  "9".repeat(400),
  "x".repeat(10_000),
  ...spoiled("1", [...lineEnds, ...separators], target),
];

/** One pod for a few: what is not a pod's own is left out, and the others are set. */
const namesAtOnce = 6;

export function hostileSysctls(scene: () => Scene): void {
  describe("a pod's sysctl", () => {
    it("with a hostile name changes nothing on the host", async () => {
      const guard = await guardHost();
      await leavesNothing(async () => {
        for (let at = 0; at < names.length; at += namesAtOnce) {
          const some = names.slice(at, at + namesAtOnce);
          const sysctls = Object.fromEntries(some.map((name) => [name, "1"]));
          await runOrRefuse(scene(), podWith(sysctls), some.map(shown).join(" "));
        }
      });
      await guard.check();
    });

    it("with a hostile value changes nothing on the host", async () => {
      const guard = await guardHost();
      await leavesNothing(async () => {
        for (const value of values) {
          // Without a network of its own, which costs most, where the sysctl is not the network's.
          await runOrRefuse(scene(), podWith({ "kernel.shm_rmid_forced": value }, mode.node), shown(value));
          await runOrRefuse(scene(), podWith({ "net.ipv4.ip_unprivileged_port_start": value }), shown(value));
        }
      });
      await guard.check();
    });

    it("of a namespace that is the host's is left out, and the pod runs", async () => {
      const guard = await guardHost();
      const sysctls = { "kernel.shm_rmid_forced": "1", "net.ipv4.ip_unprivileged_port_start": "7" };
      for (const shared of [{ network: mode.node }, { ipc: mode.node }, { network: mode.node, ipc: mode.node }]) {
        const linux = { sysctls, securityContext: { namespaceOptions: { pid: mode.container, ...shared } } };
        await leavesNothing(() => withPod(scene().cri, { config: goodPod("sysctls", { linux }) }, async () => {}));
      }
      await guard.check();
    });

    it("of its own namespaces is set", async () => {
      const { cri } = scene();
      const config = podWith({ "kernel.shm_rmid_forced": "1", "net.ipv4.ip_unprivileged_port_start": "7" });
      await leavesNothing(() =>
        withPod(cri, { config }, (podSandboxId) =>
          withContainer(cri, { podSandboxId, sandboxConfig: config, config: goodContainer("app") }, async (id) => {
            const files = ["/proc/sys/kernel/shm_rmid_forced", "/proc/sys/net/ipv4/ip_unprivileged_port_start"];
            assert.equal(await execText(cri, id, "cat", ...files), "1\n7\n");
          }),
        ),
      );
    });
  });
}

function podWith(sysctls: Record<string, string>, network: 0 | 2 = mode.pod): PodConfig {
  return goodPod("sysctls", {
    linux: { sysctls, securityContext: { namespaceOptions: { pid: mode.container, network } } },
  });
}

/** Either answer will do, as long as it is one. */
async function runOrRefuse({ cri }: Scene, config: PodConfig, what: string): Promise<void> {
  try {
    await withPod(cri, { config }, async () => {});
  } catch (error) {
    assert.ok(error instanceof CriError && error.details !== "", `${what}: ${error}`);
  }
}
