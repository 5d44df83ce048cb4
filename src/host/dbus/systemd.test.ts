import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../../base/index.ts";
import { type FakeClient, type FakePeer, startFakePeer } from "./fake-peer.ts";
import { bodyOf, type Message } from "./message.ts";
import { createSystemd, type Systemd } from "./systemd.ts";
import { parseUnitName } from "./unit-name.ts";
import { variant } from "./value.ts";

const unit = parseUnitName("crio-conmon-1.scope");
const job = "/org/freedesktop/systemd1/job/7";
const manager = { path: "/org/freedesktop/systemd1", interface: "org.freedesktop.systemd1.Manager" };

type Script = Readonly<Record<string, (message: Message, client: FakeClient) => void>>;

/** A systemd at the end of a bus: the bus' own calls are answered, the rest is the test's. */
async function fakeBus(script: Script): Promise<FakePeer & { readonly systemd: Systemd }> {
  const peer = await startFakePeer((message, client) => {
    const { member = "" } = message;
    if (script[member] !== undefined) script[member](message, client);
    else if (member === "Hello") client.answer(message, "s", [":1.5"]);
    else if (member === "GetNameOwner") client.answer(message, "s", [":1.0"]);
    else client.answer(message);
  });
  const systemd = createSystemd({ addresses: [{ socketPath: peer.socketPath, kind: "bus" }] });
  return Object.assign(Object.create(peer), {
    systemd,
    async [Symbol.asyncDispose]() {
      systemd.close();
      await peer[Symbol.asyncDispose]();
    },
  });
}

function jobRemoved(client: FakeClient, result: string, sender = ":1.0", path = job, name: string = unit): void {
  client.signal({ ...manager, member: "JobRemoved", sender }, "uoss", [7, path, name, result]);
}

describe("systemd over D-Bus", () => {
  it("starts a transient unit with typed properties and waits for the end of its job", async () => {
    let asked: unknown;
    await using bus = await fakeBus({
      StartTransientUnit(message, client) {
        asked = bodyOf(message);
        client.answer(message, "o", [job]);
        setTimeout(() => {
          jobRemoved(client, "failed", ":1.0", "/org/freedesktop/systemd1/job/6");
          jobRemoved(client, "failed", ":1.0", job, "other.scope");
          jobRemoved(client, "done");
        }, 5); // a message of its own, after the answer was read
      },
    });
    await bus.systemd.startTransientUnit(unit, [["PIDs", variant("au", [42])]]);
    assert.deepEqual(asked, [unit, "replace", [["PIDs", variant("au", [42])]], []]);
  });

  it("does not miss a job that ends before its path is known", async () => {
    await using bus = await fakeBus({
      StartTransientUnit(message, client) {
        jobRemoved(client, "done");
        client.answer(message, "o", [job]);
      },
    });
    await bus.systemd.startTransientUnit(unit, []);
  });

  it("does not believe a stranger that a job has ended", async () => {
    await using bus = await fakeBus({
      StartTransientUnit(message, client) {
        client.answer(message, "o", [job]);
        jobRemoved(client, "failed", ":1.66");
        jobRemoved(client, "done");
      },
    });
    await bus.systemd.startTransientUnit(unit, []);
  });

  it("follows systemd to its new name on the bus", async () => {
    await using bus = await fakeBus({
      StartTransientUnit(message, client) {
        const header = { path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus", member: "NameOwnerChanged" };
        const change = ["org.freedesktop.systemd1", ":1.0", ":1.8"];
        client.signal({ ...header, sender: ":1.66" }, "sss", ["org.freedesktop.systemd1", ":1.0", ":1.66"]);
        client.signal({ ...header, sender: "org.freedesktop.DBus" }, "sss", change);
        client.answer(message, "o", [job]);
        jobRemoved(client, "failed", ":1.66");
        jobRemoved(client, "failed", ":1.0");
        jobRemoved(client, "done", ":1.8");
      },
    });
    await bus.systemd.startTransientUnit(unit, []);
  });

  it("reports a job that failed and clears the unit away", async () => {
    const reset: unknown[] = [];
    await using bus = await fakeBus({
      StartTransientUnit(message, client) {
        client.answer(message, "o", [job]);
        jobRemoved(client, "failed");
      },
      ResetFailedUnit(message, client) {
        reset.push(bodyOf(message)[0]);
        client.answer(message);
      },
    });
    await assert.rejects(bus.systemd.startTransientUnit(unit, []), /starting crio-conmon-1.scope: .*"failed"/);
    assert.deepEqual(reset, [unit]);
  });

  it("forgets an earlier unit of that name that failed, once", async () => {
    let starts = 0;
    let resets = 0;
    await using bus = await fakeBus({
      StartTransientUnit(message, client) {
        starts += 1;
        if (resets === 0)
          return client.refuse(message, "org.freedesktop.systemd1.UnitExists", "Unit was already loaded.");
        client.answer(message, "o", [job]);
        jobRemoved(client, "done");
      },
      ResetFailedUnit(message, client) {
        resets += 1;
        client.answer(message);
      },
    });
    await bus.systemd.startTransientUnit(unit, []);
    assert.deepEqual([starts, resets], [2, 1]);
  });

  it("knows the difference between stopping a unit and there being none", async () => {
    let exists = true;
    const noSuchUnit = (message: Message, client: FakeClient) =>
      client.refuse(message, "org.freedesktop.systemd1.NoSuchUnit", `Unit ${unit} not loaded.`);
    await using bus = await fakeBus({
      StopUnit(message, client) {
        if (!exists) return noSuchUnit(message, client);
        client.answer(message, "o", [job]);
        jobRemoved(client, "done");
      },
      GetUnit: noSuchUnit,
      ResetFailedUnit: noSuchUnit,
    });
    assert.equal(await bus.systemd.stopUnit(unit), true);
    exists = false;
    assert.equal(await bus.systemd.stopUnit(unit), false);
    assert.equal(await bus.systemd.resetFailedUnit(unit), false);
    assert.equal(await bus.systemd.unitProperty(unit, { of: "Unit", name: "ActiveState" }), undefined);
  });

  it("connects again after the connection was lost, once for all who wait", async () => {
    await using bus = await fakeBus({
      GetUnit: (message, client) => client.answer(message, "o", ["/org/freedesktop/systemd1/unit/x"]),
      Get: (message, client) => client.answer(message, "v", [variant("s", "active")]),
    });
    const state = () => bus.systemd.unitProperty(unit, { of: "Unit", name: "ActiveState" });
    assert.deepEqual(await Promise.all([state(), state(), state()]), ["active", "active", "active"]);
    assert.equal(bus.connections, 1);
    bus.cut();
    while (true) {
      // the loss may be noticed during the call, which is then not repeated
      const answer = await state().catch((error: unknown) => {
        assert.ok(isFault(error, "unavailable"));
      });
      if (answer === "active") break;
    }
    assert.equal(bus.connections, 2);
  });

  it("fails the waiting when the connection is lost, and keeps the deadline", async () => {
    await using bus = await fakeBus({
      StartTransientUnit: (message, client) => client.answer(message, "o", [job]),
      StopUnit: (_message, client) => void client.socket.destroy(),
    });
    const start = bus.systemd.startTransientUnit(unit, [], { timeoutMs: 50 });
    await assert.rejects(
      start,
      (error) => isFault(error, "deadline") && /starting crio-conmon-1.scope/.test(error.message),
    );
    const waiting = bus.systemd.startTransientUnit(unit, []);
    const both = await Promise.allSettled([waiting, bus.systemd.stopUnit(unit)]);
    for (const one of both) assert.ok(one.status === "rejected" && isFault(one.reason, "unavailable"));
  });

  it("says of each address why systemd cannot be reached, and nothing once closed", async () => {
    const systemd = createSystemd({
      addresses: [
        { socketPath: "/nonexistent/bus", kind: "bus" },
        { socketPath: "/nonexistent/private", kind: "peer" },
      ],
    });
    const refused = (error: unknown) =>
      isFault(error, "unavailable") && /nonexistent\/bus.*nonexistent\/private/.test(error.message);
    await assert.rejects(systemd.stopUnit(unit), refused);
    systemd.close();
    await assert.rejects(systemd.stopUnit(unit), (error) => isFault(error, "cancelled"));
  });
});
