import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { knownAnnotations } from "../oci/index.ts";
import { checkAllowedAnnotations, filterAnnotations } from "./annotations.ts";

function kept(annotations: Record<string, string>, allowed: readonly string[] = []): readonly string[] {
  return Object.keys(filterAnnotations(annotations, allowed));
}

describe("filterAnnotations", () => {
  it("takes away every known annotation unless it is allowed", () => {
    const everything = Object.fromEntries(knownAnnotations.map((name) => [name, "x"]));
    assert.deepEqual(kept(everything), []);
    assert.deepEqual(kept(everything, knownAnnotations), [...knownAnnotations]);
  });

  it("takes away whatever starts with a known name", () => {
    assert.deepEqual(
      kept({ bundlefoo: "", "devices.crio.io/x": "", "org.systemd.property.ExecStart": "", "run.oci.x": "" }),
      [],
    );
    assert.deepEqual(kept({ "org.systemd.property.CPUShares": "" }, ["org.systemd.property."]), [
      "org.systemd.property.CPUShares",
    ]);
  });

  it("lets everything else through", () => {
    assert.deepEqual(kept({ "kubernetes.io/config.seen": "", "skip-gomaxprocs.crio.io": "", constructor: "" }), [
      "kubernetes.io/config.seen",
      "skip-gomaxprocs.crio.io",
      "constructor",
    ]);
  });

  it("allows a name and its older form each for itself", () => {
    const both = { "umask.crio.io": "", "io.kubernetes.cri-o.umask": "" };
    assert.deepEqual(kept(both, ["umask.crio.io"]), ["umask.crio.io"]);
    assert.deepEqual(kept(both, ["io.kubernetes.cri-o.umask"]), ["io.kubernetes.cri-o.umask"]);
  });

  it("keeps __proto__ a name like any other", () => {
    const filtered = filterAnnotations(JSON.parse('{"__proto__": "x"}'), []);
    assert.deepEqual(Object.entries(filtered), [["__proto__", "x"]]);
  });
});

describe("checkAllowedAnnotations", () => {
  it("takes exactly the known names", () => {
    checkAllowedAnnotations(knownAnnotations);
    assert.throws(
      () => checkAllowedAnnotations(["org.systemd.property.ExecStart"]),
      (error) =>
        isFault(error, "invalid") && error.message === "invalid allowed_annotation: org.systemd.property.ExecStart",
    );
  });
});
