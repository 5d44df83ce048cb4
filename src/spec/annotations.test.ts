import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { crioAnnotation, ipAnnotation } from "../oci/index.ts";
import { type AnnotationsPlan, specAnnotations, systemdAnnotations } from "./annotations.ts";

const empty: AnnotationsPlan = { pod: {}, container: {}, containerName: "web", labels: {}, crio: {} };

function written(change: Partial<AnnotationsPlan>): Record<string, string> {
  return { ...specAnnotations({ ...empty, ...change }) };
}

describe("specAnnotations", () => {
  it("has the pod's, then the container's, then the labels, then crio's own", () => {
    const all = written({
      pod: { a: "pod", b: "pod", c: "pod" },
      container: { b: "container", c: "container" },
      labels: { c: "label" },
      crio: { [crioAnnotation.name]: "k8s_x" },
    });
    assert.deepEqual(all, { a: "pod", b: "container", c: "label", [crioAnnotation.name]: "k8s_x" });
  });

  it("never takes anything of crio's record from a pod", () => {
    const lies = Object.fromEntries(
      [...Object.values(crioAnnotation), "io.kubernetes.cri-o.PlatformRuntimePath", ipAnnotation(3)].map((name) => [
        name,
        "lie",
      ]),
    );
    assert.deepEqual(written({ pod: lies, container: lies, labels: lies }), {});
    assert.deepEqual(written({ container: lies, crio: { [crioAnnotation.sandboxId]: "s" } }), {
      [crioAnnotation.sandboxId]: "s",
    });
  });

  it("keeps labels from being instructions to a runtime or hook", () => {
    const labels = {
      "org.systemd.property.ExecStopPost": "x",
      "run.oci.hooks.stdout": "/x",
      "io.containers.trace-syscall": "of:/etc/passwd",
      "app.kubernetes.io/name": "web",
    };
    assert.deepEqual(written({ labels }), { "app.kubernetes.io/name": "web" });
  });

  it("says to the tracing hook what is meant for this container", () => {
    const pod = { "io.containers.trace-syscall/web": "of:/a", "io.containers.trace-syscall/db": "of:/b" };
    assert.deepEqual(written({ pod }), {
      "io.containers.trace-syscall": "of:/a",
      "io.containers.trace-syscall/db": "of:/b",
    });
  });

  it("keeps __proto__ a name like any other", () => {
    const all = specAnnotations({ ...empty, pod: JSON.parse('{"__proto__": "x"}') });
    assert.deepEqual(Object.entries(all), [["__proto__", "x"]]);
    assert.equal(JSON.stringify(all), '{"__proto__":"x"}');
  });
});

describe("systemdAnnotations", () => {
  it("gives the scope its time to stop", () => {
    assert.deepEqual(systemdAnnotations("30"), {
      "org.systemd.property.TimeoutStopUSec": "uint64 30000000",
      "org.systemd.property.DefaultDependencies": "true",
      "org.systemd.property.After": "['crio.service']",
    });
  });

  for (const text of [undefined, "", "-1", "30; x", "1e3", "030", "99999999999", "3\n"]) {
    it(`passes over ${JSON.stringify(text)}`, () => {
      assert.ok(!("org.systemd.property.TimeoutStopUSec" in systemdAnnotations(text)));
    });
  }
});
