import { rm } from "node:fs/promises";
import { type Cri, openCri } from "../../support/daemon/cri.ts";
import { run } from "../../support/programs.ts";
import { type Usage, usageOf, usageOfProgram } from "./usage.ts";

/** Who pulls. */
export interface Subject {
  readonly name: string;
  /** Pulls an image that is not there, and removes it again, unmeasured. */
  pull(image: string): Promise<Usage>;
}

/** A daemon that serves CRI. */
export function criSubject(name: string, pid: number, cri: Cri): Subject {
  return {
    name,
    async pull(image) {
      const usage = await usageOf(pid, () => cri.image.pullImage({ image: { image } }, { deadlineMs: 600_000 }));
      await cri.image.removeImage({ image: { image } }, { deadlineMs: 600_000 });
      return usage;
    },
  };
}

/** A daemon's calls, by its socket. */
export function criAt(socket: string): Cri {
  return openCri(socket);
}

/** skopeo, into a store of its own. */
export const skopeo: Subject = {
  name: "skopeo",
  async pull(image) {
    const [root, runRoot] = ["/var/lib/containers/bench-skopeo", "/run/bench-skopeo"];
    const usage = await usageOfProgram([
      "skopeo",
      "copy",
      "--src-tls-verify=false",
      `docker://${image}`,
      `containers-storage:[overlay@${root}+${runRoot}]${image}`,
    ]);
    await run(["umount", `${root}/overlay`]); // its private mount, which it leaves
    for (const folder of [root, runRoot]) await rm(folder, { recursive: true, force: true });
    return usage;
  },
};
