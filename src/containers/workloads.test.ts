import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { allowedAnnotations, resourcesOfWorkload, type Workload, workloadOf } from "./workloads.ts";

const none = { cpuset: "", cpushares: 0n, cpuquota: 0n, cpuperiod: 0n };
const management: Workload = {
  activationAnnotation: "target.workload.openshift.io/management",
  annotationPrefix: "resources.workload.openshift.io",
  allowedAnnotations: ["shm-size.crio.io"],
  resources: { ...none, cpuset: "0-1", cpushares: 5n },
};
const other: Workload = { ...management, activationAnnotation: "other", resources: none };
const pod = { [management.activationAnnotation]: "" };

describe("the workload of a pod", () => {
  it("is the first whose annotation the pod has, whatever it says", () => {
    assert.equal(workloadOf([other, management], pod), management);
    assert.equal(workloadOf([management, other], { ...pod, other: "x" }), management);
    assert.equal(workloadOf([management], {}), undefined);
    assert.equal(workloadOf([{ ...management, activationAnnotation: "constructor" }], {}), undefined);
  });

  it("allows annotations besides those of the handler", () => {
    const handler = { allowedAnnotations: ["umask.crio.io"] };
    assert.deepEqual(allowedAnnotations(handler, management), ["umask.crio.io", "shm-size.crio.io"]);
    assert.deepEqual(allowedAnnotations(handler, undefined), ["umask.crio.io"]);
  });

  it("gives each container what the pod says for it, or what the configuration says", () => {
    const given = (name: string, annotations = pod) => resourcesOfWorkload([management], annotations, name);
    assert.deepEqual(given("app"), { cpus: "0-1", shares: 5n });
    const own = { ...pod, "resources.workload.openshift.io/app": '{"cpushares": 99}' };
    assert.deepEqual(given("app", own), { cpus: "0-1", shares: 99n });
    assert.deepEqual(given("POD", own), { cpus: "0-1", shares: 5n });
    assert.equal(given("app", {} as typeof pod), undefined);
    const bad = { ...pod, "resources.workload.openshift.io/app": "{" };
    assert.throws(
      () => given("app", bad),
      (error) => isFault(error, "invalid"),
    );
  });
});
