/** Commands that cannot be run (issue: Bad input). */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import type { Cri } from "../../support/daemon/cri.ts";
import { eventually } from "../../support/daemon/crictl.ts";
import { type TarEntry, writeTar } from "../../support/fixtures/index.ts";
import { takeInventory } from "../../support/node/index.ts";
import { pushRaw } from "../bad-input/push.ts";
import { expectAsBefore, expectRefusal } from "../bad-input/refusal.ts";
import { type CreateRequest, goodContainer, hostNetworkPod, withContainer, withPod } from "../bad-input/scene.ts";
import type { Stage } from "./stage.ts";

/** `create`: the runtime looks for the command itself, and its words are the answer. `run`: the kernel refuses it, when the container starts. */
interface Case {
  readonly what: string;
  readonly command: string;
  readonly crun: RegExp;
  readonly runc: RegExp;
}

const cases: readonly Case[] = [
  {
    what: "that the image has not",
    command: "no-such-command",
    crun: /^container create failed: executable file `no-such-command` not found/,
    runc: /^container create failed: .*exec: \\"no-such-command\\": executable file not found in \$PATH/,
  },
  {
    what: "of a path that the image has not",
    command: "/no/such/command",
    crun: /^container create failed: .*`\/no\/such\/command`.*No such file or directory/,
    runc: /^container create failed: .*exec: \\"\/no\/such\/command\\": stat \/no\/such\/command: no such file or directory/,
  },
  {
    what: "that is not executable",
    command: "/etc/passwd",
    crun: /^container create failed: .*`\/etc\/passwd`.*not executable|Permission denied/,
    runc: /^container create failed: .*exec: \\"\/etc\/passwd\\": permission denied/,
  },
  {
    what: "that is a directory",
    command: "/etc",
    crun: /^container create failed: the path `\/etc` is not a regular file/,
    runc: /^container create failed: .*exec: \\"\/etc\\": is a directory/,
  },
];

/** What only the kernel knows to be no program: crun is told so at start, runc's own process ends with it. */
const unloadable: readonly { readonly what: string; readonly command: string; readonly words: RegExp }[] = [
  { what: "whose interpreter is missing", command: "/script", words: /no such file or directory/i },
  { what: "that is no program", command: "/noise", words: /exec format error/i },
];

const entries: readonly TarEntry[] = [
  { is: "file", path: "script", mode: 0o755, content: "#!/no/such/interpreter\n" },
  { is: "file", path: "noise", mode: 0o755, content: Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]) },
  { is: "file", path: "etc/passwd", content: "root:x:0:0::/:/bin/sh\n" },
];

export function command(stage: () => Stage): void {
  describe("a command", () => {
    for (const runtimeHandler of ["crun", "runc"] as const) {
      it(`${runtimeHandler}: that cannot be run fails in words, leaves nothing, and another one runs`, async () => {
        const { cri } = stage();
        const config = hostNetworkPod(`command-${runtimeHandler}`);
        const image = await pushRaw("commands", { layers: [writeTar(entries)] });
        const before = await takeInventory();
        await cri.image.pullImage({ image: { image } });
        await withPod(cri, { config, runtimeHandler }, async (podSandboxId) => {
          const request = (more: object): CreateRequest => ({
            podSandboxId,
            sandboxConfig: config,
            config: goodContainer("app", more),
          });
          const now = await takeInventory();
          for (const { what, command, ...words } of cases) {
            const creating = cri.runtime.createContainer(request({ command: [command], image: { image } }));
            const error = await expectRefusal(creating, { details: words[runtimeHandler] });
            assert.ok(error.details.length < 1000, what);
            await expectAsBefore(now);
          }
          for (const { command, words } of unloadable) {
            await endsInWords(cri, request({ command: [command], image: { image } }), words);
            await expectAsBefore(now);
          }
          const { containers } = await cri.runtime.listContainers({ filter: { podSandboxId } });
          assert.deepEqual(containers, []);
          await withContainer(cri, request({}), async () => {});
        });
        await cri.image.removeImage({ image: { image } });
        await expectAsBefore(before);
      });
    }
  });
}

/** Refused at create or start, or else, where the runtime does not wait for the kernel's answer, ended by it: its words are in the log. */
async function endsInWords(cri: Cri, request: CreateRequest, words: RegExp): Promise<void> {
  let containerId = "";
  try {
    ({ containerId } = await cri.runtime.createContainer(request));
    await cri.runtime.startContainer({ containerId });
  } catch (error) {
    assert.ok(error instanceof Error);
    assert.match(error.message, words);
    return;
  }
  const ended = await eventually("it has ended", async () => {
    const { status } = await cri.runtime.containerStatus({ containerId });
    return status?.state === 2 ? status : undefined;
  });
  assert.notEqual(ended.exitCode, 0);
  assert.match(await readFile(ended.logPath, "utf8"), words);
  await cri.runtime.removeContainer({ containerId });
}
