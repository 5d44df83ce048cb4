import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { maxUserFileBytes } from "./passwd-file.ts";
import { resolveUser, type UserRequest } from "./user.ts";

const passwd = Buffer.from(
  [
    "# a comment",
    "root:x:0:0:root:/root:/bin/sh",
    "+nis:x:7:7::/:",
    "huge:x:99999999999999999999:0::/:/bin/sh",
    "empty:x:::::",
    "007:x:7000:7000::/:/bin/sh",
    "web:x:33:34:web:/var/www:/bin/sh",
    "web:x:34:34:again:/:/bin/sh",
    "no fields",
    "last:x:4294967294:1:last:/:/bin/sh",
  ].join("\n"),
);
const group = Buffer.from("root:x:0:root\nwww:x:34:\nadm:x:4:web,root\ndup:x:4:web\naudio:x:29:web\nbad:x:-1:web\n");

const request: UserRequest = {
  passwd,
  group,
  imageUser: "",
  runAsUsername: "",
  supplementalGroups: [],
  policy: "merge",
};

function resolved(change: Partial<UserRequest>) {
  const { uid, gid, additionalGids } = resolveUser({ ...request, ...change });
  return [uid, gid, additionalGids];
}

function refuses(change: Partial<UserRequest>, message: string | RegExp): void {
  assert.throws(
    () => resolveUser({ ...request, ...change }),
    (error) =>
      isFault(error, "invalid") &&
      (typeof message === "string" ? error.message === message : message.test(error.message)),
  );
}

describe("resolveUser", () => {
  it("is root when nobody says anything", () => {
    assert.deepEqual(resolved({}), [0, 0, [0, 4]]);
    assert.deepEqual(resolved({ passwd: Buffer.alloc(0), group: Buffer.alloc(0) }), [0, 0, [0]]);
  });

  it("takes the first passwd entry and the groups that list the name", () => {
    assert.deepEqual(resolved({ imageUser: "web" }), [33, 34, [34, 4, 29]]);
    assert.deepEqual(resolved({ imageUser: "33" }), [33, 34, [34, 4, 29]]);
  });

  it("takes the image's group instead of the user's groups", () => {
    assert.deepEqual(resolved({ imageUser: "web:audio" }), [33, 29, [29]]);
    assert.deepEqual(resolved({ imageUser: "web:77" }), [33, 77, [77]]);
    assert.deepEqual(resolved({ imageUser: ":audio" }), [0, 29, [29]]);
  });

  it("prefers run_as_username over run_as_user over the image", () => {
    assert.deepEqual(resolved({ imageUser: "last", runAsUser: 33n, runAsUsername: "root" }), [0, 0, [0, 4]]);
    assert.deepEqual(resolved({ imageUser: "last", runAsUser: 33n }), [33, 34, [34, 4, 29]]);
  });

  it("puts run_as_group first, then the file's groups, then the supplemental ones, each once", () => {
    assert.deepEqual(resolved({ runAsUser: 33n, runAsGroup: 5n, supplementalGroups: [4n, 9n, 9n] }), [
      33,
      5,
      [5, 4, 29, 9],
    ]);
  });

  it("leaves the file's groups out under the strict policy", () => {
    assert.deepEqual(resolved({ runAsUser: 33n, supplementalGroups: [9n], policy: "strict" }), [33, 34, [34, 9]]);
  });

  it("needs no entry for a numeric user", () => {
    const { hasPasswdEntry, hasGroupEntry, asked } = resolveUser({ ...request, imageUser: "1234:5678" });
    assert.deepEqual([hasPasswdEntry, hasGroupEntry, asked], [false, false, "1234"]);
    const { passwd: _passwd, group: _group, ...without } = request;
    assert.deepEqual(resolveUser({ ...without, imageUser: "1234:5678" }).additionalGids, [5678]);
  });

  it("takes ids up to 2^32-2", () => {
    assert.deepEqual(resolved({ runAsUser: 4294967294n, group: Buffer.alloc(0) }), [4294967294, 1, [1]]);
  });

  for (const user of [
    "00",
    "007",
    "+1",
    "-1",
    "-0",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "9".repeat(30),
    "0:007",
    "0:4294967295",
    "0:-1",
  ]) {
    it(`never takes ${user} for a name or another number`, () => refuses({ imageUser: user }, /must be in range/));
  }

  for (const user of ["1000abc", "0x0", "1e3", " 0", "0 ", "1_000", "huge", "empty", "+nis", "０", "#"]) {
    it(`takes ${JSON.stringify(user)} for a name`, () => {
      refuses({ imageUser: user }, `get exec user: unable to find user ${user}: no matching entries in passwd file`);
    });
  }

  it("refuses ids of the request that are out of range", () => {
    refuses({ runAsUser: -1n }, /run_as_user -1/);
    refuses({ runAsUser: 4294967295n }, /run_as_user/);
    refuses({ runAsUser: 0n, runAsGroup: 2n ** 40n }, /run_as_group/);
    refuses({ supplementalGroups: [-5n] }, /supplemental_groups/);
  });

  it("refuses a group without a user", () => {
    refuses({ runAsGroup: 1n }, "user group is specified without user or username");
  });

  it("refuses line breaks, fields too many and unknown groups", () => {
    for (const user of ["a\nb", "a\u0085b", "a\u2028b", "a\0", "a:b:c"]) refuses({ imageUser: user }, /invalid user/);
    refuses(
      { imageUser: "web:nobody" },
      "get exec user: unable to find group nobody: no matching entries in group file",
    );
  });

  it("refuses user files beyond the limit", () => {
    assert.throws(
      () => resolveUser({ ...request, passwd: Buffer.alloc(maxUserFileBytes + 1) }),
      (error) => isFault(error, "exhausted"),
    );
  });

  it("reads a large file of one-line groups without trouble", () => {
    const many = Buffer.from(Array.from({ length: 40_000 }, (_, i) => `g${i}:x:${i}:web`).join("\n"));
    assert.equal(resolveUser({ ...request, imageUser: "web", group: many }).additionalGids.length, 40_000);
    const tooMany = Buffer.from(Array.from({ length: 66_000 }, (_, i) => `g:x:${i}:web`).join("\n"));
    refuses({ imageUser: "web", group: tooMany }, /more than 65536 groups/);
  });
});
