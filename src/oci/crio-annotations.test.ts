import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { featureAnnotation, featureValue, ipAnnotation, isCrioAnnotation } from "./crio-annotations.ts";

describe("isCrioAnnotation", () => {
  it("keeps the names of crio's own record, older spellings and addresses included", () => {
    for (const name of [
      "io.kubernetes.cri-o.SandboxID",
      "io.container.manager",
      "platform-runtime-path.crio.io",
      "io.kubernetes.cri-o.PlatformRuntimePath",
      ipAnnotation(17),
    ]) {
      assert.ok(isCrioAnnotation(name), name);
    }
  });

  it("leaves features and everything else to the pod", () => {
    for (const name of ["umask.crio.io", "io.kubernetes.cri-o.umask", "kubernetes.io/config.seen", "__proto__"]) {
      assert.ok(!isCrioAnnotation(name), name);
    }
  });
});

describe("featureValue", () => {
  it("prefers the name over the older one", () => {
    const annotations = { "umask.crio.io": "022", "io.kubernetes.cri-o.umask": "077" };
    assert.equal(featureValue(annotations, featureAnnotation.umask), "022");
    assert.equal(featureValue({ "io.kubernetes.cri-o.umask": "077" }, featureAnnotation.umask), "077");
    assert.equal(featureValue({}, featureAnnotation.umask), undefined);
  });

  it("finds the form for one container, with a slash or a dot", () => {
    const { unifiedCgroup } = featureAnnotation;
    assert.equal(featureValue({ "unified-cgroup.crio.io/web": "a=b" }, unifiedCgroup, "web"), "a=b");
    assert.equal(featureValue({ "io.kubernetes.cri-o.UnifiedCgroup.web": "a=c" }, unifiedCgroup, "web"), "a=c");
    assert.equal(featureValue({ "unified-cgroup.crio.io": "a=b" }, unifiedCgroup, "web"), undefined);
  });
});
