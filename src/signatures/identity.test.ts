import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { parseReference } from "../oci/index.ts";
import { acceptsIdentity, parseSignedIdentity } from "./identity.ts";

const digest = `sha256:${"a".repeat(64)}`;
const accepts = (identity: Readonly<Record<string, string>>, wanted: string, signed: string) =>
  acceptsIdentity(parseSignedIdentity(identity, "signedIdentity"), parseReference(wanted), signed);

describe("a signed identity", () => {
  const cases: readonly (readonly [
    Readonly<Record<string, string>>,
    wanted: string,
    good: readonly string[],
    bad: readonly string[],
  ])[] = [
    [
      { type: "matchExact" },
      "r.io/a/b:1",
      ["r.io/a/b:1"],
      ["r.io/a/b:2", "r.io/a/b", `r.io/a/b@${digest}`, "r.io/a:1", ""],
    ],
    [{ type: "matchExact" }, "busybox:1", ["busybox:1", "docker.io/library/busybox:1"], ["quay.io/library/busybox:1"]],
    [{ type: "matchRepoDigestOrExact" }, "r.io/a:1", ["r.io/a:1"], ["r.io/a:2", "r.io/a"]],
    [
      { type: "matchRepoDigestOrExact" },
      `r.io/a@${digest}`,
      ["r.io/a:1", "r.io/a:2", `r.io/a@${digest}`],
      ["r.io/a", "r.io/b:1"],
    ],
    [
      { type: "matchRepository" },
      "r.io/a:1",
      ["r.io/a", "r.io/a:2", `r.io/a@${digest}`],
      ["r.io/a/b", "r.io/b:1", "A"],
    ],
    [{ type: "exactReference", dockerReference: "s.io/x:7" }, "r.io/a:1", ["s.io/x:7"], ["s.io/x", "r.io/a:1"]],
    [
      { type: "exactRepository", dockerRepository: "s.io/x" },
      "r.io/a:1",
      ["s.io/x", "s.io/x:9"],
      ["s.io/x/y", "r.io/a:1"],
    ],
    [
      { type: "remapIdentity", prefix: "mirror.io/v", signedPrefix: "v.io" },
      "mirror.io/v/a:1",
      ["v.io/a:1"],
      ["mirror.io/v/a:1", "v.io/a:2"],
    ],
    [
      { type: "remapIdentity", prefix: "mirror.io/v", signedPrefix: "v.io" },
      "mirror.io/vv/a:1",
      ["mirror.io/vv/a:1"],
      ["v.iov/a:1", "v.io/a:1"],
    ],
    [
      { type: "remapIdentity", prefix: "m.io", signedPrefix: "v.io/x" },
      `m.io/a@${digest}`,
      ["v.io/x/a:1"],
      ["v.io/a:1"],
    ],
  ];
  for (const [identity, wanted, good, bad] of cases) {
    it(`${Object.values(identity).join(" ")} accepts and refuses names for ${wanted}`, () => {
      for (const signed of good) assert.ok(accepts(identity, wanted, signed), signed);
      for (const signed of bad) assert.ok(!accepts(identity, wanted, signed), signed);
    });
  }

  it("accepts no tag for an image that was asked for without", () => {
    assert.ok(!accepts({ type: "matchExact" }, "r.io/a", "r.io/a"));
    assert.ok(!accepts({ type: "matchRepoDigestOrExact" }, "r.io/a", "r.io/a:latest"));
  });

  it("is refused when it is unknown, incomplete, or has more than its fields", () => {
    for (const bad of [
      {},
      { type: "matchAnything" },
      { type: "__proto__" },
      { type: "matchExact", dockerReference: "a" },
      { type: "exactReference" },
      { type: "exactReference", dockerReference: "r.io/a" },
      { type: "exactRepository", dockerRepository: "UPPER" },
      { type: "remapIdentity", prefix: "r.io" },
      { type: "remapIdentity", prefix: "r.io/a:1", signedPrefix: "s.io" },
      { type: "remapIdentity", prefix: "r.io/", signedPrefix: "s.io" },
    ]) {
      assert.throws(
        () => parseSignedIdentity(bad, "x"),
        (error) => isFault(error, "invalid"),
        JSON.stringify(bad),
      );
    }
  });
});
