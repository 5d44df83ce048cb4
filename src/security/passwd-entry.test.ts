import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import {
  generatedGroup,
  generatedPasswd,
  groupEntryFor,
  homeFrom,
  passwdEntryFor,
  type UserFile,
} from "./passwd-entry.ts";
import type { ResolvedUser } from "./user.ts";

const user: ResolvedUser = {
  uid: 1234,
  gid: 5,
  additionalGids: [5],
  asked: "1234",
  hasPasswdEntry: false,
  hasGroupEntry: false,
};
const file: UserFile = { content: Buffer.from("root:x:0:0::/:/bin/sh\n"), mode: 0o644, ownerUid: 0 };

describe("generatedPasswd and generatedGroup", () => {
  it("add exactly one line to the image's file", () => {
    assert.equal(
      generatedPasswd(file, user, "/data")?.toString(),
      "root:x:0:0::/:/bin/sh\n1234:x:1234:5:1234 user:/data:/sbin/nologin\n",
    );
    assert.equal(generatedGroup(file, user)?.toString(), "root:x:0:0::/:/bin/sh\n5:x:5:\n");
  });

  it("end a last line that has no end", () => {
    const open = { ...file, content: Buffer.from("root:x:0:") };
    assert.equal(generatedGroup(open, user)?.toString(), "root:x:0:\n5:x:5:\n");
  });

  it("do nothing for a user that the image knows", () => {
    assert.equal(generatedPasswd(file, { ...user, hasPasswdEntry: true }, "/"), undefined);
    assert.equal(generatedGroup(file, { ...user, hasGroupEntry: true }), undefined);
  });

  it("leave files alone that are missing, empty or writable by the container's user", () => {
    for (const other of [
      undefined,
      { ...file, content: Buffer.alloc(0) },
      { ...file, mode: 0o664 },
      { ...file, mode: 0o646 },
      { ...file, ownerUid: 1234 },
    ]) {
      assert.equal(generatedPasswd(other, user, "/"), undefined);
    }
    assert.notEqual(generatedPasswd({ ...file, ownerUid: 1234, mode: 0o444 }, user, "/"), undefined);
  });
});

describe("passwdEntryFor", () => {
  it("calls a user without a name default", () => {
    assert.equal(passwdEntryFor({ ...user, asked: "" }, "/"), "default:x:1234:5:default user:/:/sbin/nologin\n");
    assert.equal(groupEntryFor(user), "5:x:5:\n");
  });

  for (const text of [
    "a\nroot2:x:0:0",
    "a\r",
    "a\0b",
    "a\tb",
    "a\u0085b",
    "a\u2028b",
    "a\u2029b",
    "a\u007fb",
    "a:b",
    "a".repeat(5000),
  ]) {
    it(`refuses ${JSON.stringify(text.slice(0, 20))} in any field`, () => {
      assert.throws(
        () => passwdEntryFor(user, text),
        (error) => isFault(error, "invalid"),
      );
      assert.throws(
        () => passwdEntryFor({ ...user, asked: text }, "/"),
        (error) => isFault(error, "invalid"),
      );
    });
  }
});

describe("homeFrom", () => {
  it("is HOME, else /", () => {
    assert.equal(homeFrom(["PATH=/bin", "HOME=/root", "HOME=/other"]), "/root");
    assert.equal(homeFrom(["HOME="]), "/");
    assert.equal(homeFrom([]), "/");
  });

  it("refuses line breaks by the text clients know", () => {
    for (const value of ["/\nx", "/\rx"]) {
      assert.throws(
        () => homeFrom([`HOME=${value}`]),
        (error) => isFault(error, "invalid") && error.message === "invalid HOME environment; newline not allowed",
      );
    }
    assert.throws(
      () => homeFrom(["HOME=/\u2028x"]),
      (error) => isFault(error, "invalid"),
    );
  });
});
