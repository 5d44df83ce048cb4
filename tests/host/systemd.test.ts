/** A real systemd over its real D-Bus: needs systemd as the running init, as in the VM of the lab. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { newId } from "../../src/base/index.ts";
import {
  createSystemd,
  DbusFault,
  parseUnitName,
  type StartedProgram,
  scopeProperties,
  startProgram,
  type UnitName,
} from "../../src/host/index.ts";

const reason = existsSync("/run/systemd/system") ? undefined : "systemd is not the init of this machine";
const SIGKILL = 9;
const sleepPath = "/usr/bin/sleep";

describe("a transient scope of systemd", { skip: reason ?? false }, () => {
  for (const address of [
    { socketPath: "/run/dbus/system_bus_socket", kind: "bus" },
    { socketPath: "/run/systemd/private", kind: "peer" },
  ] as const) {
    it(`takes in a process, is stopped and leaves nothing: by ${address.socketPath}`, async () => {
      const systemd = createSystemd({ addresses: [address] });
      const sleep = await startProgram(sleepPath, ["600"], { stdio: [], newProcessGroup: true });
      const name = parseUnitName(`crio-ts-test-${newId()}.scope`);
      try {
        const slice = parseUnitName("crio_ts_test-inner.slice");
        const plan = { pids: [sleep.pid], slice, delegate: true, defaultDependencies: false, killSignal: 15 };
        await systemd.startTransientUnit(name, scopeProperties(plan));
        assert.equal(await cgroupOf(sleep.pid), `/crio_ts_test.slice/crio_ts_test-inner.slice/${name}`);
        assert.equal(await systemd.unitProperty(name, { of: "Unit", name: "ActiveState" }), "active");
        assert.equal(await systemd.unitProperty(name, { of: "Scope", name: "Delegate" }), true);
        assert.equal(await systemd.stopUnit(name), true);
        assert.deepEqual(await sleep.exited, { is: "killed", signal: 15 });
        await gone(systemd, name);
        assert.equal(existsSync(`/sys/fs/cgroup/crio_ts_test.slice/crio_ts_test-inner.slice/${name}`), false);
        assert.equal(await systemd.stopUnit(name), false);
        await systemd.stopUnit(parseUnitName("crio_ts_test.slice"));
        assert.equal(existsSync("/sys/fs/cgroup/crio_ts_test.slice"), false);
      } finally {
        await end(sleep);
        systemd.close();
      }
    });
  }

  it("is refused, with systemd's words, for a process that is gone", async () => {
    const systemd = createSystemd();
    after(() => systemd.close());
    const sleep = await startProgram(sleepPath, ["0"], { stdio: [], newProcessGroup: true });
    await sleep.exited;
    const name = parseUnitName(`crio-ts-test-${newId()}.scope`);
    const properties = scopeProperties({ pids: [sleep.pid], slice: parseUnitName("system.slice") });
    await assert.rejects(
      systemd.startTransientUnit(name, properties),
      (error) => error instanceof DbusFault || /job ended/.test(String(error)),
    );
    await gone(systemd, name);
  });

  it("is known by whether it exists, and so are properties", async () => {
    const systemd = createSystemd();
    after(() => systemd.close());
    const property = { of: "Unit", name: "ActiveState" } as const;
    assert.equal(await systemd.unitProperty(parseUnitName("crio-ts-none.scope"), property), undefined);
    assert.equal(await systemd.unitProperty(parseUnitName("system.slice"), { of: "Slice", name: "NoSuch" }), undefined);
    assert.ok(
      (await systemd.unitProperty(parseUnitName("system.slice"), { of: "Slice", name: "AllowedCPUs" })) instanceof
        Uint8Array,
    );
  });
});

async function cgroupOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/cgroup`, "utf8");
  return /^0::(.*)$/m.exec(text)?.[1];
}

/** systemd forgets a unit a moment after its end. */
async function gone(systemd: ReturnType<typeof createSystemd>, name: UnitName): Promise<void> {
  const property = { of: "Unit", name: "ActiveState" } as const;
  const until = Date.now() + 10_000;
  while ((await systemd.unitProperty(name, property)) !== undefined) {
    assert.ok(Date.now() < until, `${name} is still loaded`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function end(program: StartedProgram): Promise<void> {
  program.kill(SIGKILL);
  await program.exited;
}
