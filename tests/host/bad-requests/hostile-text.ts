/** Text that becomes part of a file or an argument list stays one value, or is refused (attack classes 1, 3 and 23). */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { CriError } from "../../support/daemon/cri.ts";
import { guardHost, type HostGuard } from "../bad-input/host-guard.ts";
import { expectRefusal, leavesNothing } from "../bad-input/refusal.ts";
import {
  type CreateRequest,
  execText,
  goodContainer,
  goodPod,
  hostNetworkPod,
  mode,
  type PodConfig,
  type Scene,
  withContainer,
  withPod,
} from "../bad-input/scene.ts";
import { lineEnds, separators, shown, spoiled, spoiledInside } from "./variants.ts";

export function hostileText(scene: () => Scene): void {
  describe("a text in a request", () => {
    let guard: HostGuard | undefined;
    before(async () => {
      guard = await guardHost();
    });
    after(async () => {
      await guard?.check();
    });

    const refused = async (config: PodConfig, what: string) => {
      await expectRefusal(scene().cri.runtime.runPodSandbox({ config }), { details: /./ }).catch((error) => {
        throw new Error(`${what}: ${error}`, { cause: error });
      });
    };

    it("that is a host name with a line end, a blank, a colon or a slash is refused", async () => {
      const names = spoiled("node", [...lineEnds, " ", "\t", ":", "/"], "127.0.0.1 evil");
      await leavesNothing(async () => {
        for (const hostname of [...names, "h".repeat(65)])
          await refused(goodPod("text", { hostname }), shown(hostname));
        await withPod(scene().cri, { config: goodPod("text", { hostname: "node-1.example" }) }, async () => {});
      });
    });

    it("that is a value for resolv.conf with a line end is refused", async () => {
      const evil = spoiled("1.2.3.4", lineEnds, "nameserver 6.6.6.6");
      await leavesNothing(async () => {
        for (const value of evil) {
          await refused(goodPod("text", { dnsConfig: { servers: [value] } }), `server ${shown(value)}`);
          await refused(goodPod("text", { dnsConfig: { searches: [value] } }), `search ${shown(value)}`);
          await refused(goodPod("text", { dnsConfig: { options: [value] } }), `option ${shown(value)}`);
        }
      });
    });

    it("in resolv.conf and hosts files makes no more lines than it was asked for", async () => {
      const { cri } = scene();
      const config = goodPod("text", {
        hostname: "named",
        dnsConfig: { servers: ["10.0.0.10", "fd00::10"], searches: ["a.local", "b.local"], options: ["ndots:5"] },
      });
      await leavesNothing(() =>
        withPod(cri, { config }, (podSandboxId) =>
          withContainer(cri, { podSandboxId, sandboxConfig: config, config: goodContainer("app") }, async (id) => {
            const expected = "search a.local b.local\nnameserver 10.0.0.10\nnameserver fd00::10\noptions ndots:5\n";
            assert.equal(await execText(cri, id, "cat", "/etc/resolv.conf"), expected);
            assert.equal(await execText(cri, id, "cat", "/etc/hostname"), "named\n");
          }),
        ),
      );
    });

    it("that is a pod's or container's name stays one name", async () => {
      const { cri } = scene();
      const names = [
        "..",
        "../../../../etc/cron.d/evil",
        "a/b",
        "-x",
        "--help",
        "__proto__",
        "POD",
        "ü 雪",
        "n".repeat(5000),
        ...spoiledInside("name", [...lineEnds, ...separators], "K8S_POD_NAME=evil"),
      ];
      await leavesNothing(async () => {
        for (const name of names) {
          for (const make of [goodPod, hostNetworkPod]) {
            const config = make("text", { metadata: { name, namespace: "n", uid: "u", attempt: 0 } });
            await harmless(scene(), config, name, { named: "pod" });
          }
          await harmless(scene(), hostNetworkPod("text"), name, { named: "container" });
        }
        assert.equal((await cri.runtime.listPodSandbox({})).items.length, 0);
      });
    });

    it("that is a namespace or uid of a pod stays one", async () => {
      const values = ["../../x", "a/b", ...spoiledInside("value", [";", "=", "\n", "\0", "+", "%", "_"], "x=y")];
      await leavesNothing(async () => {
        for (const value of values) {
          for (const field of ["namespace", "uid"] as const) {
            const metadata = { name: "text", namespace: "n", uid: "u", attempt: 0, [field]: value };
            await harmless(scene(), goodPod("text", { metadata }), value, { named: "pod" });
          }
        }
      });
    });

    it("that is a label or an annotation comes back as it was, after a restart of the record too", async () => {
      const { cri } = scene();
      const texts = ["\n", "\r\n", "\u2028", '"', "\\", "</script>", "ü雪🙂", "constructor", "toString", " ", "\0"];
      const map = Object.fromEntries(texts.map((text, at) => [`key-${at}${text}`, `value${text}`]));
      const labels = { ...map, constructor: "x", hasOwnProperty: "y" };
      const annotations = { ...labels, "io.kubernetes.cri-o.ContainerID": "forged", "io.container.manager": "forged" };
      const config = goodPod("text", { labels, annotations });
      await leavesNothing(() =>
        withPod(cri, { config }, (podSandboxId) => {
          const create = { podSandboxId, sandboxConfig: config, config: goodContainer("app", { labels, annotations }) };
          return withContainer(cri, create, async (containerId) => {
            const pod = (await cri.runtime.podSandboxStatus({ podSandboxId })).status;
            const container = (await cri.runtime.containerStatus({ containerId })).status;
            for (const [key, value] of Object.entries(labels)) {
              assert.equal(pod?.labels[key], value);
              assert.equal(container?.labels[key], value);
              assert.equal(pod?.annotations[key], value);
              assert.equal(container?.annotations[key], value);
            }
            for (const id of [podSandboxId, containerId]) {
              const written = await annotationsOf(id);
              assert.equal(written["io.kubernetes.cri-o.ContainerID"], id, "the record's own annotation");
              assert.equal(written["io.container.manager"], "cri-o");
            }
            const { containers } = await cri.runtime.listContainers({
              filter: { labelSelector: { constructor: "x" } },
            });
            assert.equal(containers.length, 1);
            const none = await cri.runtime.listContainers({ filter: { labelSelector: { valueOf: "x" } } });
            assert.equal(none.containers.length, 0);
          });
        }),
      );
      assert.equal(Object.hasOwn(Object.prototype, "polluted"), false);
    });

    it("that is a key named __proto__ does no harm", async () => {
      const { cri } = scene();
      const evil = JSON.parse('{"__proto__": "x", "a": "b"}') as Record<string, string>; // an own property of that name
      const config = goodPod("text", {
        labels: evil,
        annotations: evil,
        linux: { ...goodPod("text").linux, sysctls: evil },
      });
      await leavesNothing(() =>
        withPod(cri, { config }, async (podSandboxId) => {
          const { status } = await cri.runtime.podSandboxStatus({ podSandboxId, verbose: true });
          assert.equal(status?.labels.a, "b");
        }),
      );
    });

    it("that is an environment variable or argument arrives byte for byte, or is refused for its NUL", async () => {
      const { cri } = scene();
      const config = hostNetworkPod("text");
      const texts = spoiled("value", [...lineEnds, ...separators], "MORE=x");
      await leavesNothing(() =>
        withPod(cri, { config }, async (podSandboxId) => {
          const create = (container: CreateRequest["config"]) => ({
            podSandboxId,
            sandboxConfig: config,
            config: container,
          });
          const [bad, good] = [
            texts.filter((text) => text.includes("\0")),
            texts.filter((text) => !text.includes("\0")),
          ];
          for (const text of bad) {
            const env = goodContainer("app", { envs: [{ key: "KEY", value: Buffer.from(text) }] });
            const arg = goodContainer("app", { command: ["sleep", text] });
            for (const request of [env, arg]) {
              await leavesNothing(() =>
                expectRefusal(cri.runtime.createContainer(create(request)), { details: /NUL/ }),
              );
            }
          }
          const envs = good.map((text, at) => ({ key: `KEY_${at}`, value: Buffer.from(text) }));
          const script = "sleep 1000; :";
          const container = goodContainer("app", { command: ["sh", "-c", script, ...good], envs });
          await withContainer(cri, create(container), async (id) => {
            const environ = await execText(cri, id, "cat", "/proc/1/environ");
            const variables = environ.split("\0").filter((entry) => entry.startsWith("KEY_"));
            assert.deepEqual(
              variables,
              good.map((text, at) => `KEY_${at}=${text}`),
            );
            const cmdline = await execText(cri, id, "cat", "/proc/1/cmdline");
            assert.deepEqual(cmdline.split("\0"), ["sh", "-c", script, ...good, ""]);
          });
        }),
      );
    });

    it("that is HOME and would break a line of /etc/passwd is refused", async () => {
      const { cri } = scene();
      const config = hostNetworkPod("text");
      await leavesNothing(() =>
        withPod(cri, { config }, async (podSandboxId) => {
          for (const home of spoiled("/home", [...lineEnds, ":"], "evil:x:0:0::/:/bin/sh")) {
            const container = goodContainer("app", {
              envs: [{ key: "HOME", value: Buffer.from(home) }],
              linux: { securityContext: { runAsUser: { value: 4711n }, namespaceOptions: { pid: mode.container } } },
            });
            const call = cri.runtime.createContainer({ podSandboxId, sandboxConfig: config, config: container });
            await expectRefusal(call, { details: /./ });
          }
        }),
      );
    });
  });
}

/** Runs what the request asks for, or sees it refused in words; in a running container the name is a name. */
async function harmless(
  { cri }: Scene,
  config: PodConfig,
  name: string,
  { named }: { readonly named: "pod" | "container" },
): Promise<void> {
  try {
    await withPod(cri, { config }, async (podSandboxId) => {
      if (named === "pod") {
        const { status } = await cri.runtime.podSandboxStatus({ podSandboxId });
        assert.deepEqual(status?.metadata, config.metadata);
        return;
      }
      const container = goodContainer("app", { metadata: { name, attempt: 0 }, logPath: "" });
      const request = { podSandboxId, sandboxConfig: config, config: container, started: false };
      await withContainer(cri, request, async (containerId) => {
        const { status } = await cri.runtime.containerStatus({ containerId });
        assert.equal(status?.metadata?.name, name);
      });
    });
  } catch (error) {
    assert.ok(error instanceof CriError && error.details.length > 5, `${named} ${shown(name)}: ${error}`);
    assert.ok(error.details.length < 10_000);
  }
}

async function annotationsOf(id: string): Promise<Record<string, string>> {
  const path = `/var/lib/containers/storage/overlay-containers/${id}/userdata/config.json`;
  const spec = JSON.parse(await readFile(path, "utf8")) as { readonly annotations: Record<string, string> }; // the daemon's own file
  return spec.annotations;
}
