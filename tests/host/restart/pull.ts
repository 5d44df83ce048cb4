import assert from "node:assert/strict";
import { type Crictl, eventually } from "../../support/daemon/crictl.ts";
import type { Daemon } from "../../support/daemon/index.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { differencesAfterSettling, takeInventory } from "../../support/node/index.ts";
import { mustRun } from "../../support/programs.ts";
import { registryControl } from "../../support/registry/index.ts";

const kibibytesSeen = 4096;

/** The daemon is killed in the middle of a pull: what had been unpacked is gone with the next one, which pulls the image whole. */
export async function pullCutOff(
  start: (before?: Daemon) => Promise<Daemon>,
  open: (daemon: Daemon) => Promise<Crictl>,
): Promise<void> {
  const registry = registryControl();
  let daemon = await start();
  try {
    const crictl = await open(daemon);
    await crictl.do("pull", fixtureNames.busybox); // whose layer is the first one of the other image
    const before = await takeInventory();
    const empty = await kibibytesOfStore();
    await registry.setFaults([{ path: "/blobs/", fault: { is: "slow", bytesPerSecond: 8 << 20 } }]);
    const failing = assert.rejects(crictl.do("pull", fixtureNames.large));
    await eventually("some of it has arrived", async () => (await kibibytesOfStore()) > empty + kibibytesSeen);
    await daemon.stop("SIGKILL");
    await failing;
    await registry.setFaults([]);
    assert.ok((await kibibytesOfStore()) > empty + kibibytesSeen, "the killed daemon has left something");

    daemon = await start(daemon);
    const left = await differencesAfterSettling(before, { ignore: ["processes"] }); // the daemon is another one
    assert.deepEqual(left, []);
    assert.ok((await kibibytesOfStore()) < empty + kibibytesSeen, "no space is taken by what was left");
    await crictl.do("pull", fixtureNames.large);
    assert.match(await crictl.do("images"), /crio-ts\/large/);
    await crictl.do("rmi", fixtureNames.large);
  } finally {
    await registry.setFaults([]);
    await daemon.stop();
  }
}

async function kibibytesOfStore(): Promise<number> {
  const { stdout } = await mustRun(["sh", "-c", "du -sk /var/lib/containers/storage 2>/dev/null || true"]);
  return Number(/^\d+/.exec(stdout)?.[0]);
}
