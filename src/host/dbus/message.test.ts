import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../../base/index.ts";
import { AuthAnswer, authGreeting } from "./auth.ts";
import { Framing } from "./framing.ts";
import { bodyOf, decodeMessage, encodeMessage, maxMessageBytes, messageLength } from "./message.ts";

const call = encodeMessage(
  { kind: "call", path: "/a", interface: "i.f", member: "M", destination: "d.e" },
  { serial: 7, signature: "su", values: ["text", 5] },
);

describe("a D-Bus message", () => {
  it("comes back as it went", () => {
    assert.equal(messageLength(call), call.length);
    const message = decodeMessage(call);
    assert.ok(message);
    const { body, ...rest } = message;
    assert.ok(body.length > 0);
    assert.deepEqual(rest, {
      kind: "call",
      noReply: false,
      serial: 7,
      path: "/a",
      interface: "i.f",
      member: "M",
      destination: "d.e",
      signature: "su",
      order: "little",
    });
    assert.deepEqual(bodyOf(message), ["text", 5]);
  });

  it("is ignored when its kind is unknown and refused when it cannot be one", () => {
    const unknown = Buffer.from(call);
    unknown[1] = 9;
    assert.equal(decodeMessage(unknown), undefined);
    const spoiled = (at: number, value: number) => {
      const bytes = Buffer.from(call);
      bytes[at] = value;
      return bytes;
    };
    assert.throws(
      () => decodeMessage(spoiled(1, 0)),
      (error) => isFault(error, "corrupt"),
    );
    assert.throws(
      () => messageLength(spoiled(0, 0x7b)),
      (error) => isFault(error, "corrupt"),
    );
    assert.throws(
      () => messageLength(spoiled(3, 2)),
      (error) => isFault(error, "corrupt"),
    );
    assert.throws(
      () => messageLength(spoiled(7, 0x7f)),
      (error) => isFault(error, "exhausted"),
    );
    assert.throws(
      () => messageLength(spoiled(15, 0xff)),
      (error) => isFault(error, "exhausted"),
    );
  });

  it("never makes the reader throw anything but a Fault, whatever byte of it is changed", () => {
    for (let at = 0; at < call.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff, 0x61, 0x76]) {
        const bytes = Buffer.from(call);
        bytes[at] = value;
        try {
          if (messageLength(bytes) !== bytes.length) continue;
          const message = decodeMessage(bytes);
          if (message !== undefined) bodyOf(message);
        } catch (error) {
          assert.ok(isFault(error), `byte ${at} = ${value}: ${String(error)}`);
        }
      }
    }
  });

  it("has header fields of the declared types only", () => {
    const bytes = Buffer.from(call);
    const at = bytes.indexOf(Buffer.from([3, 1, "s".charCodeAt(0), 0])); // MEMBER
    bytes[at + 2] = "o".charCodeAt(0);
    assert.throws(
      () => decodeMessage(bytes),
      (error) => isFault(error, "corrupt"),
    );
  });
});

describe("framing", () => {
  it("finds the messages however the stream is cut", () => {
    const stream = Buffer.concat([call, call, call]);
    for (const size of [1, 3, 16, 17, call.length, call.length + 1, stream.length]) {
      const framing = new Framing();
      const found: Buffer[] = [];
      for (let at = 0; at < stream.length; at += size) found.push(...framing.push(stream.subarray(at, at + size)));
      assert.deepEqual(found, [call, call, call], `pieces of ${size}`);
    }
  });

  it("refuses a message that is too long before it arrives", () => {
    const start = Buffer.from(call.subarray(0, 16));
    start.writeUInt32LE(maxMessageBytes, 4);
    assert.throws(
      () => new Framing().push(start),
      (error) => isFault(error, "exhausted"),
    );
  });
});

describe("the authentication", () => {
  it("names our user id in hexadecimal digits of its decimal digits", () => {
    assert.equal(authGreeting(1000), "\0AUTH EXTERNAL 31303030\r\n");
  });

  it("keeps what follows the answer", () => {
    const answer = new AuthAnswer();
    assert.equal(answer.push(Buffer.from("OK 1234")), undefined);
    assert.equal(answer.push(Buffer.from("abcd\r"))?.toString(), undefined);
    assert.equal(answer.push(Buffer.from("\nrest"))?.toString(), "rest");
  });

  it("ends at a refusal and at an endless line", () => {
    assert.throws(
      () => new AuthAnswer().push(Buffer.from("REJECTED EXTERNAL\r\n")),
      (error) => isFault(error, "denied"),
    );
    assert.throws(
      () => new AuthAnswer().push(Buffer.from("OKAY\r\n")),
      (error) => isFault(error, "denied"),
    );
    assert.throws(
      () => new AuthAnswer().push(Buffer.alloc(20_000, "x")),
      (error) => isFault(error, "corrupt"),
    );
  });
});
