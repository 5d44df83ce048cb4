import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, it } from "node:test";
import { isFault } from "../../base/index.ts";
import { DbusConnection, type MethodCall } from "./connection.ts";
import { DbusFault } from "./dbus-fault.ts";
import { startFakePeer } from "./fake-peer.ts";
import { bodyOf, encodeMessage } from "./message.ts";

const call = (member: string, text = ""): MethodCall => ({
  destination: "a.b",
  path: "/",
  interface: "i.f",
  member,
  signature: "s",
  args: [text],
});

describe("a D-Bus connection", () => {
  it("gives each caller its own answer, in whatever order they come", async () => {
    const waiting: (() => void)[] = [];
    await using peer = await startFakePeer((message, client) => {
      waiting.unshift(() => client.answer(message, "s", bodyOf(message)));
      if (waiting.length === 3) for (const answer of waiting) answer();
    });
    const connection = await DbusConnection.open({ socketPath: peer.socketPath, kind: "peer" });
    const answers = await Promise.all(["a", "b", "c"].map((text) => connection.call(call("Echo", text))));
    assert.deepEqual(answers, [["a"], ["b"], ["c"]]);
    connection.close();
  });

  it("keeps the words of an error and its name", async () => {
    await using peer = await startFakePeer((message, client) => {
      client.refuse(message, "org.freedesktop.systemd1.NoSuchUnit", "Unit x.scope not loaded.");
    });
    const connection = await DbusConnection.open({ socketPath: peer.socketPath, kind: "peer" });
    await assert.rejects(connection.call(call("Get")), (error) => {
      assert.ok(error instanceof DbusFault);
      assert.equal(error.code, "not-found");
      assert.equal(error.dbusError, "org.freedesktop.systemd1.NoSuchUnit");
      assert.match(error.message, /i\.f\.Get: Unit x\.scope not loaded\./);
      return true;
    });
    connection.close();
  });

  it("fails the calls under way when it is lost, and every later one", async () => {
    await using peer = await startFakePeer(() => peer.cut());
    const connection = await DbusConnection.open({ socketPath: peer.socketPath, kind: "peer" });
    const reasons: string[] = [];
    connection.onLoss((reason) => reasons.push(reason.code));
    await assert.rejects(connection.call(call("Any")), (error) => isFault(error, "unavailable"));
    assert.equal(connection.isOpen, false);
    assert.deepEqual(reasons, ["unavailable"]);
    await assert.rejects(connection.call(call("Any")), (error) => isFault(error, "unavailable"));
  });

  it("gives up a peer that sends what is no message", async () => {
    await using peer = await startFakePeer((_message, client) => client.socket.write("hello, is this D-Bus?"));
    const connection = await DbusConnection.open({ socketPath: peer.socketPath, kind: "peer" });
    await assert.rejects(connection.call(call("Any")), /given up: D-Bus: no message begins with "h"/);
  });

  it("stops waiting when the time is over or the caller leaves, and stays usable", async () => {
    await using peer = await startFakePeer((message, client) => {
      if (message.member === "Echo") client.answer(message, "s", bodyOf(message));
    });
    const connection = await DbusConnection.open({ socketPath: peer.socketPath, kind: "peer" });
    await assert.rejects(connection.call(call("Silence"), { timeoutMs: 20 }), (error) => isFault(error, "deadline"));
    const leaving = new AbortController();
    const left = connection.call(call("Silence"), { signal: leaving.signal });
    leaving.abort(new Error("left"));
    await assert.rejects(left, /^Error: left$/);
    assert.deepEqual(await connection.call(call("Echo", "still here")), ["still here"]);
    connection.close();
  });

  it("does not wait for ever for a server that accepts and says nothing", async () => {
    await using peer = await startFakePeer(() => {});
    const mute = createServer(() => {});
    const socketPath = `${peer.socketPath}.mute`;
    await new Promise<void>((resolve) => mute.listen(socketPath, resolve));
    const signal = AbortSignal.timeout(50);
    await assert.rejects(DbusConnection.open({ socketPath, kind: "peer" }, { signal }), { name: "TimeoutError" });
    mute.close();
  });

  it("says where nobody listens", async () => {
    const open = DbusConnection.open({ socketPath: "/nonexistent/bus", kind: "bus" });
    await assert.rejects(open, (error) => isFault(error, "unavailable") && /\/nonexistent\/bus/.test(error.message));
  });

  it("answers calls of others, which it does not serve", async () => {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    await using peer = await startFakePeer((message, client) => {
      if (message.kind === "error") resolve(message.errorName);
      else client.socket.write(strangersCall());
    });
    const connection = await DbusConnection.open({ socketPath: peer.socketPath, kind: "peer" });
    const own = connection.call(call("Any"), { timeoutMs: 5000 });
    assert.equal(await promise, "org.freedesktop.DBus.Error.UnknownMethod");
    connection.close();
    await assert.rejects(own);
  });
});

function strangersCall(): Buffer {
  const header = { kind: "call", path: "/", interface: "x.y", member: "Do", sender: ":1.9" } as const;
  return encodeMessage(header, { serial: 99 });
}
