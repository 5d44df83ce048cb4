import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseChallenges } from "./challenge.ts";

describe("parseChallenges", () => {
  const read = (header: string) =>
    parseChallenges(header).map(({ scheme, params }) => [scheme, Object.fromEntries(params)]);

  it("reads what registries send", () => {
    assert.deepEqual(read('Bearer realm="https://a.io/token",service="a.io",scope="repository:x:pull,push"'), [
      ["bearer", { realm: "https://a.io/token", service: "a.io", scope: "repository:x:pull,push" }],
    ]);
    assert.deepEqual(read("Basic realm=simple"), [["basic", { realm: "simple" }]]);
    assert.deepEqual(read('Basic realm="a", Bearer realm = "b" , service=c'), [
      ["basic", { realm: "a" }],
      ["bearer", { realm: "b", service: "c" }],
    ]);
    assert.deepEqual(read('Negotiate, NTLM YWJj==, BEARER REALM="x\\"y"'), [
      ["negotiate", {}],
      ["ntlm", {}],
      ["bearer", { realm: 'x"y' }],
    ]);
  });

  it("keeps the first of a repeated parameter and drops what it cannot read", () => {
    assert.deepEqual(read('Bearer realm="a",realm="b"'), [["bearer", { realm: "a" }]]);
    assert.deepEqual(read('Bearer realm="a",service="unterminated'), [["bearer", { realm: "a" }]]);
    for (const header of ["", " , ,", "=", '"', "Bearer", "\0", ",,,,=,,,"]) parseChallenges(header);
    assert.deepEqual(read('Bearer __proto__="x"')[0]?.[0], "bearer");
  });

  it("takes linear time on hostile headers", () => {
    const hostile = [
      'Bearer realm="'.padEnd(1e6, "\\"),
      "a ".repeat(5e5),
      "a=".repeat(5e5),
      `Bearer ${"=".repeat(1e6)}`,
    ];
    for (const header of hostile) assert.ok(parseChallenges(header).length <= 10_000);
  });
});
