import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { isShortName, parseReference, referenceText, repositoryText, withDefaultTag } from "./reference.ts";

const hex = "0123456789abcdef".repeat(4);

describe("parseReference", () => {
  const full: readonly (readonly [string, string])[] = [
    ["busybox", "docker.io/library/busybox"],
    ["busybox:1.36", "docker.io/library/busybox:1.36"],
    ["docker.io/busybox", "docker.io/library/busybox"],
    ["index.docker.io/busybox:x", "docker.io/library/busybox:x"],
    ["user/name", "docker.io/user/name"],
    ["a/b/c/d", "docker.io/a/b/c/d"],
    ["localhost/name", "localhost/name"],
    ["localhost:5000/name:tag", "localhost:5000/name:tag"],
    ["host:5000/name", "host:5000/name"],
    ["registry.example.com/ns/name:v1", "registry.example.com/ns/name:v1"],
    ["UPPER/name", "UPPER/name"],
    ["Registry.Example.com/name", "Registry.Example.com/name"],
    ["[::1]:5000/name:t", "[::1]:5000/name:t"],
    ["[2001:db8::1]/name", "[2001:db8::1]/name"],
    ["127.0.0.1/name", "127.0.0.1/name"],
    [`busybox@sha256:${hex}`, `docker.io/library/busybox@sha256:${hex}`],
    [`busybox:1@sha256:${hex}`, `docker.io/library/busybox:1@sha256:${hex}`],
    ["a.b/x__y/z-_.t".replace("-_.", "---"), "a.b/x__y/z---t"],
    [`${hex}:tag`, `docker.io/library/${hex}:tag`],
    [`r.io/${hex}`, `r.io/${hex}`],
    [`r.io/${"a".repeat(255)}`, `r.io/${"a".repeat(255)}`],
    [`r.io/a:${"t".repeat(128)}`, `r.io/a:${"t".repeat(128)}`],
  ];
  for (const [text, expected] of full) {
    it(`reads ${text.slice(0, 40)} as ${expected.slice(0, 40)}`, () => {
      const reference = parseReference(text);
      assert.equal(referenceText(reference), expected);
      assert.deepEqual(parseReference(expected), reference, "the full form reads the same");
    });
  }

  const refused: readonly string[] = [
    "",
    " ",
    ":tag",
    "@sha256:abc",
    "/name",
    "name/",
    "a//b",
    "Busybox",
    "user/Name",
    "r.io/UPPER",
    "r.io/",
    "docker.io/",
    "r.io/a:",
    "r.io/a:-x",
    `r.io/a:${"t".repeat(129)}`,
    `r.io/${"a".repeat(256)}`,
    "r.io/a@sha256:abc",
    `r.io/a@sha256:${hex.toUpperCase()}`,
    `r.io/a@md5:${hex}`,
    `r.io/a@sha256:${hex}@sha256:${hex}`,
    hex,
    "-r.io/a",
    "r-.io/a",
    "r..io/a",
    "r.io:port/a",
    "r.io:/a",
    "[::1/a",
    "[::g]/a",
    "[::1%eth0]/a",
    "https://r.io/a",
    "r.io/a b",
    "r.io/a\n",
    "r.io/a\0",
    "r.io/../a",
    "r.io/./a",
    "r.io/a___b",
    "r.io/a..b",
    "r.io/_a",
    "r.io/a_",
    "r.io/a?x=1",
    "r.io/a#x",
    "user:password@r.io/a",
    "ä.io/a",
    "r.io/ä",
    "x".repeat(100_000),
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 60))}`, () => {
      assert.throws(
        () => parseReference(text),
        (error) => isFault(error, "invalid") && error.message.length < 500,
      );
    });
  }
});

describe("isShortName", () => {
  it("asks whether a registry is named", () => {
    for (const text of ["busybox", "busybox:1", "user/name", "a/b/c", "UPPER/name"]) assert.ok(isShortName(text), text);
    for (const text of ["localhost/a", "a:1/b", "a.b/c", "[::1]/x", "docker.io/busybox"]) {
      assert.ok(!isShortName(text), text);
    }
  });
});

describe("withDefaultTag", () => {
  it("adds latest only where there is neither tag nor digest", () => {
    assert.equal(referenceText(withDefaultTag(parseReference("a"))), "docker.io/library/a:latest");
    assert.equal(referenceText(withDefaultTag(parseReference("a:1"))), "docker.io/library/a:1");
    const byDigest = `docker.io/library/a@sha256:${hex}`;
    assert.equal(referenceText(withDefaultTag(parseReference(byDigest))), byDigest);
    assert.equal(repositoryText(parseReference(byDigest)), "docker.io/library/a");
  });
});
