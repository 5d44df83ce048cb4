import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { parseReference } from "../oci/index.ts";
import { parsePolicy, requirementsFor } from "./policy.ts";

const accept = [{ type: "insecureAcceptAnything" }];
const reject = [{ type: "reject" }];
const parse = (value: unknown) =>
  parsePolicy(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)), "policy.json");

describe("a policy", () => {
  it("has the requirements of the most specific scope", () => {
    const scopes = ["r.io:5000/a/b:1", "r.io:5000/a/b", "r.io:5000/a", "r.io:5000", "*.deep.r.io", "*.r.io"];
    const marked = (at: number) => [{ type: "signedBy", keyType: "GPGKeys", keyPath: `/${at}` }];
    const docker = Object.fromEntries(scopes.map((scope, at) => [scope, marked(at)]));
    const policy = parse({
      default: reject,
      transports: { docker: { ...docker, "": accept }, "docker-daemon": { x: reject } },
    });
    const found = (name: string) => {
      const [requirement] = requirementsFor(policy, parseReference(name));
      const [key] = requirement?.is === "signedBy" ? requirement.keys : [];
      return key?.is === "file" ? key.path : requirement?.is;
    };
    assert.deepEqual(
      [
        "r.io:5000/a/b:1",
        "r.io:5000/a/b:2",
        "r.io:5000/a/c:1",
        "r.io:5000/x:1",
        "x.deep.r.io/a:1",
        "x.r.io:1/a:1",
        "other.io/a:1",
      ].map(found),
      ["/0", "/1", "/2", "/3", "/4", "/5", "insecureAcceptAnything"],
    );
    assert.equal(requirementsFor(parse({ default: reject }), parseReference("r.io/a:1"))[0]?.is, "reject");
  });

  it("is refused when any of it is not understood", () => {
    const of = (requirement: object) => ({ default: accept, transports: { docker: { "r.io": [requirement] } } });
    const key = { type: "sigstoreSigned", keyPath: "/k" };
    const fulcio = { caPath: "/c", oidcIssuer: "i", subjectEmail: "e" };
    const bad: readonly unknown[] = [
      "",
      "null",
      "[]",
      {},
      { default: [] },
      { default: accept, other: 1 },
      { default: accept, transports: { docker: { "r.io": [] } } },
      `{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}`,
      `{"default":[{"type":"reject","\\u0074ype":"insecureAcceptAnything"}]}`,
      `{"default":[{"type":"reject"}],"__proto__":{}}`,
      of({ type: "signedBy", keyPath: "/k" }),
      of({ type: "signedBy", keyType: "GPGKeys" }),
      of({ type: "signedBy", keyType: "GPGKeys", keyPaths: [] }),
      of({ type: "signedBy", keyType: "GPGKeys", keyPath: "/k", keyData: "YQ==" }),
      of({ type: "signedBy", keyType: "GPGKeys", keyData: "not base64" }),
      of({ type: "sigstoreSigned" }),
      of({ ...key, fulcio }),
      of({ ...key, keyData: "YQ==" }),
      of({ ...key, rekorPublicKeyPath: "/r", rekorPublicKeyData: "YQ==" }),
      of({ type: "sigstoreSigned", fulcio }),
      of({ type: "sigstoreSigned", fulcio: { ...fulcio, oidcIssuer: "" }, rekorPublicKeyPath: "/r" }),
      of({ type: "sigstoreSigned", pki: { caRootsPath: "/c" } }),
      of({ type: "sigstoreSigned", pki: { caRootsPath: "/c", subjectEmail: "e" }, rekorPublicKeyPath: "/r" }),
    ];
    for (const value of bad) {
      assert.throws(
        () => parse(value),
        (error) => isFault(error, "invalid") && /policy\.json/.test(error.message),
        JSON.stringify(value),
      );
    }
  });
});
