import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { linuxNamespaces, pidNamespace } from "./namespaces.ts";
import { testPlan } from "./test-plans.ts";

describe("linuxNamespaces", () => {
  it("leaves out what is shared with the host", () => {
    const host = { is: "host" } as const;
    const namespaces = { ...testPlan.namespaces, network: host, pid: host };
    assert.deepEqual(linuxNamespaces(namespaces, { privateCgroup: false }), [
      { type: "ipc", path: "/run/ipcns/n" },
      { type: "uts", path: "/run/utsns/n" },
      { type: "mount" },
    ]);
  });

  it("makes a user namespace where none is pinned", () => {
    const user = { uidMappings: [], gidMappings: [] };
    const all = linuxNamespaces({ ...testPlan.namespaces, user }, { privateCgroup: true });
    assert.deepEqual(all.slice(-3), [{ type: "mount" }, { type: "user" }, { type: "cgroup" }]);
  });
});

describe("pidNamespace", () => {
  it("is new, the host's, the infra container's or the target's", () => {
    assert.deepEqual(pidNamespace({ mode: "container" }), { is: "new" });
    assert.deepEqual(pidNamespace({ mode: "node" }), { is: "host" });
    assert.deepEqual(pidNamespace({ mode: "pod", infra: { pid: 42 } }), { is: "join", path: "/proc/42/ns/pid" });
    assert.deepEqual(pidNamespace({ mode: "target", targetId: "t", pinnedPath: "/run/pidns/x" }), {
      is: "join",
      path: "/run/pidns/x",
    });
  });

  for (const [request, message] of [
    [
      { mode: "pod" },
      "pod level PID namespace requested for the container, but pod sandbox was not similarly configured, and does not have an infra container",
    ],
    [{ mode: "pod", infra: { pid: 0 } }, "PID namespace requested, but sandbox infra container unexpectedly invalid"],
    [{ mode: "target", targetId: "" }, "target PID namespace specified with invalid target ID"],
  ] as const) {
    it(`refuses with "${message}"`, () => {
      assert.throws(
        () => pidNamespace(request),
        (error) => isFault(error, "invalid") && error.message === message,
      );
    });
  }
});
