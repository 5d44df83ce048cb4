/** Users and groups are who the request says they are, or nobody (attack classes 3, 4 and 5; reference: cri.md 3.7). */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { CriError } from "../../support/daemon/cri.ts";
import { busyboxLayer, installedBusybox, type TarEntry } from "../../support/fixtures/index.ts";
import { pushImage } from "../bad-input/push.ts";
import { expectRefusal, leavesNothing } from "../bad-input/refusal.ts";
import {
  type ContainerConfig,
  type CreateRequest,
  execText,
  goodContainer,
  hostNetworkPod,
  mode,
  type Scene,
  withContainer,
} from "../bad-input/scene.ts";
import { lineEnds, shown, spoiled } from "./variants.ts";

/** Names that look like numbers, all of them root's: who looks one up gets root. */
const trap = ["00", "+0", "-1", "+1", "01000", "1000", "4294967295", "4294967296", "4294968296", "9".repeat(30)];
const passwd = ["root:x:0:0:root:/root:/bin/sh", ...trap.map((name) => `${name}:x:0:0:::/bin/sh`), ""].join("\n");
const group = ["root:x:0:", ...trap.map((name) => `${name}:x:0:`), "staff:x:50:1000", ""].join("\n");

/** What must never become an id, however it is read: too big, signed, padded. */
const badNumbers = ["4294967295", "4294967296", "4294968296", "-1", "+0", "+1", "00", "01000", "9".repeat(30), "-0"];
const badIds = [-1n, 4294967295n, 4294967296n, 4294967296n + 1000n, 2n ** 63n - 1n, -(2n ** 63n)];
const goodIds = [0, 1000, 2147483647, 2147483648, 4294967294];

type Security = NonNullable<NonNullable<ContainerConfig["linux"]>["securityContext"]>;

export function hostileUsers(scene: () => Scene): void {
  describe("a user", () => {
    const sandboxConfig = hostNetworkPod("users");
    let podSandboxId = "";
    let base: readonly TarEntry[] = [];
    let image = "";

    before(async () => {
      ({ podSandboxId } = await scene().cri.runtime.runPodSandbox({ config: sandboxConfig }));
      const path = installedBusybox();
      assert.ok(path !== undefined, "the node has no busybox");
      base = busyboxLayer(await readFile(path), ["sh", "cat", "sleep", "id"]);
      image = await pull("users", {}, [
        { is: "file", path: "etc/passwd", content: passwd },
        { is: "file", path: "etc/group", content: group },
      ]);
    });
    after(async () => {
      await scene().cri.runtime.removePodSandbox({ podSandboxId });
    });

    const pull = async (name: string, config: Record<string, unknown>, more: readonly TarEntry[]): Promise<string> => {
      const pushed = await pushImage(name, { layers: [base, more], config });
      await scene().cri.image.pullImage({ image: { image: pushed } });
      return pushed;
    };
    const request = (security: Security, from = image): CreateRequest => ({
      podSandboxId,
      sandboxConfig,
      config: goodContainer("app", {
        image: { image: from },
        linux: { securityContext: { namespaceOptions: { pid: mode.container }, ...security } },
      }),
    });
    const refused = async (security: Security, what: string) => {
      const call = scene().cri.runtime.createContainer(request(security));
      await expectRefusal(call, { details: /^get exec user: / }).catch((error) => {
        throw new Error(`${what}: ${error}`, { cause: error });
      });
    };
    const idsOf = (security: Security, from = image) =>
      withContainer(scene().cri, request(security, from), (id) => readIds(scene(), id));

    it("that looks like a number is never looked up as a name", async () => {
      await leavesNothing(async () => {
        for (const runAsUsername of badNumbers) {
          await refused({ runAsUsername }, `name ${runAsUsername}`);
          await refused({ runAsUsername: `1000:${runAsUsername}` }, `group ${runAsUsername}`);
        }
        assert.deepEqual(await idsOf({ runAsUsername: "1000" }), { uid: 1000, gid: 0, groups: [0] });
        assert.deepEqual(await idsOf({ runAsUsername: "1000:1000" }), { uid: 1000, gid: 1000, groups: [1000] });
      });
    });

    it("of an image that looks like a number is never looked up as a name", async () => {
      const { cri } = scene();
      await leavesNothing(async () => {
        const users = [
          ...badNumbers,
          ...spoiled("root", lineEnds, "x").filter((text) => !text.includes("\0")),
          "a:b:c",
        ];
        for (const [at, user] of users.entries()) {
          const name = await pull(`user-${at}`, { User: user }, [
            { is: "file", path: "etc/passwd", content: passwd },
            { is: "file", path: "etc/group", content: group },
          ]);
          const error = await cri.runtime.createContainer(request({}, name)).catch((reason: unknown) => reason);
          assert.ok(error instanceof CriError, `image user ${shown(user)}: ${JSON.stringify(error)}`);
          assert.match(error.details, /^get exec user: /, `image user ${shown(user)}`);
          await cri.image.removeImage({ image: { image: name } });
        }
      });
    });

    it("of an image with a NUL in it makes the pull fail", async () => {
      const image = await pushImage("user-nul", { layers: [base], config: { User: "root\0x" } });
      const details = /reading the image config sha256:[0-9a-f]{64}: .*User holds a NUL character$/;
      await leavesNothing(() => expectRefusal(scene().cri.image.pullImage({ image: { image } }), { details }));
    });

    it("by number is in the range of the kernel, and has just that number", async () => {
      await leavesNothing(async () => {
        for (const value of badIds) {
          await refused({ runAsUser: { value } }, `user ${value}`);
          await refused({ runAsUser: { value: 5n }, runAsGroup: { value } }, `group ${value}`);
          await refused({ runAsUser: { value: 5n }, supplementalGroups: [value] }, `supplemental group ${value}`);
        }
        for (const id of goodIds) {
          const value = BigInt(id);
          const ids = await idsOf({ runAsUser: { value }, runAsGroup: { value }, supplementalGroups: [7n, value] });
          assert.deepEqual(ids, { uid: id, gid: id, groups: [...new Set([7, id])].sort((a, b) => a - b) });
        }
      });
    });

    it("with a line end or a third part is refused", async () => {
      await leavesNothing(async () => {
        for (const runAsUsername of [
          ...spoiled("root", lineEnds, "evil:x:0:0"),
          "root:root:root",
          ":::",
          "root:nobody",
        ]) {
          await refused({ runAsUsername }, shown(runAsUsername));
        }
      });
    });

    it("without a line in /etc/passwd gets one, and one only", async () => {
      const { cri } = scene();
      await leavesNothing(() =>
        withContainer(cri, request({ runAsUser: { value: 4711n }, runAsGroup: { value: 4712n } }), async (id) => {
          const lines = async (path: string) => (await execText(cri, id, "cat", path)).split("\n");
          const [users, groups] = [await lines("/etc/passwd"), await lines("/etc/group")];
          assert.equal(users.length, passwd.split("\n").length + 1);
          assert.equal(groups.length, group.split("\n").length + 1);
          assert.equal(users.at(-2), "4711:x:4711:4712:4711 user:/:/sbin/nologin");
          assert.equal(groups.at(-2), "4712:x:4712:");
        }),
      );
    });

    it("of an image whose user files are without end, or no files, costs nobody else anything", async () => {
      const { cri, daemon } = scene();
      const big = Buffer.alloc(96 << 20, "x\n");
      const odd: readonly (readonly [what: string, entry: TarEntry])[] = [
        ["a passwd file of 96 MiB", { is: "file", path: "etc/passwd", content: big }],
        ["a group file of 96 MiB", { is: "file", path: "etc/group", content: big }],
        ["a fifo", { is: "fifo", path: "etc/passwd" }],
        ["a device", { is: "character-device", path: "etc/passwd", major: 1, minor: 5 }],
        ["a directory", { is: "directory", path: "etc/group" }],
        ["a link to itself", { is: "symlink", path: "etc/passwd", target: "passwd" }],
        ["a link out of the root", { is: "symlink", path: "etc/group", target: "../../../../../etc/group" }],
        ["a link into a process", { is: "symlink", path: "etc/passwd", target: "/proc/1/root/etc/passwd" }],
      ];
      const before = await residentBytes(daemon.pid);
      await leavesNothing(async () => {
        for (const [at, [what, entry]] of odd.entries()) {
          const name = await pull(`odd-user-file-${at}`, {}, [entry]);
          const create = cri.runtime.createContainer(request({ runAsUsername: "1000" }, name), { deadlineMs: 20_000 });
          const made = await create.catch((error: unknown) => {
            assert.ok(error instanceof CriError && /\/etc\/(passwd|group)/.test(error.details), `${what}: ${error}`);
          });
          if (made !== undefined) await cri.runtime.removeContainer({ containerId: made.containerId });
          await cri.image.removeImage({ image: { image: name } });
        }
      });
      const grown = (await residentBytes(daemon.pid)) - before;
      assert.ok(grown < big.length, `the daemon has grown by ${grown >> 20} MiB`);
      assert.deepEqual(await idsOf({ runAsUsername: "1000" }), { uid: 1000, gid: 0, groups: [0] });
    });
  });
}

/** The ids of a container's process, as the kernel has them. */
async function readIds({ cri }: Scene, containerId: string): Promise<{ uid: number; gid: number; groups: number[] }> {
  const text = await execText(cri, containerId, "cat", "/proc/1/status");
  const numbers = (name: string) =>
    (new RegExp(`^${name}:\\s*(.*)$`, "m").exec(text)?.[1] ?? "")
      .split(/\s+/)
      .flatMap((word) => (word === "" ? [] : [Number(word)]));
  const [uids, gids] = [new Set(numbers("Uid")), new Set(numbers("Gid"))];
  assert.equal(uids.size, 1, "real, effective, saved and file system uid are one");
  assert.equal(gids.size, 1);
  return { uid: [...uids][0] ?? -1, gid: [...gids][0] ?? -1, groups: numbers("Groups").sort((a, b) => a - b) };
}

async function residentBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}
