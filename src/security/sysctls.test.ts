import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { filterSysctls, type SysctlRequest, skippedSysctlText } from "./sysctls.ts";

const own: SysctlRequest = { defaults: [], requested: {}, hostIpc: false, hostNetwork: false };

function applied(requested: Record<string, string>, change: Partial<SysctlRequest> = {}) {
  return Object.fromEntries(filterSysctls({ ...own, ...change, requested }).apply);
}

describe("filterSysctls", () => {
  it("keeps those of the pod's own namespaces, the request over the configuration", () => {
    const plan = filterSysctls({
      ...own,
      defaults: [
        ["net.core.somaxconn", "128"],
        ["kernel.sem", "1 2 3 4"],
      ],
      requested: { "net.core.somaxconn": "1024", "kernel.shmmax": "1", "kernel.msgmax": "2", "fs.mqueue.msg_max": "3" },
    });
    assert.deepEqual(plan, {
      apply: [
        ["net.core.somaxconn", "1024"],
        ["kernel.sem", "1 2 3 4"],
        ["kernel.shmmax", "1"],
        ["kernel.msgmax", "2"],
        ["fs.mqueue.msg_max", "3"],
      ],
      skipped: [],
    });
  });

  it("never touches the host's namespaces", () => {
    assert.deepEqual(applied({ "net.core.somaxconn": "1" }, { hostNetwork: true }), {});
    assert.deepEqual(applied({ "kernel.sem": "1", "fs.mqueue.msg_max": "1" }, { hostIpc: true }), {});
    assert.deepEqual(applied({ "kernel.sem": "1" }, { hostNetwork: true }), { "kernel.sem": "1" });
  });

  for (const name of [
    "kernel.core_pattern",
    "kernel.semx",
    "vm.swappiness",
    "fs.mqueue",
    "net",
    "net.",
    "net..ipv4",
    "net./../kernel/core_pattern",
    "net.ipv4/../../kernel.core_pattern",
    "net.ipv4.ip_forward=1+kernel.core_pattern",
    "net.ipv4.ip_forward\n",
    "net.ipv4 .x",
    "kernel.shm_rmid_forced/../core_pattern",
    "NET.core.somaxconn",
    "__proto__",
    `net.${"a.".repeat(200)}b`,
  ]) {
    it(`leaves out ${JSON.stringify(name.slice(0, 50))}`, () => {
      assert.deepEqual(applied(JSON.parse(`{${JSON.stringify(name)}: "1"}`)), {});
    });
  }

  for (const value of ["1\n2", "1\0", "1\r", "é", "1".repeat(5000)]) {
    it(`leaves out a value such as ${JSON.stringify(value.slice(0, 10))}`, () => {
      assert.deepEqual(applied({ "net.core.somaxconn": value }), {});
    });
  }

  it("takes values that would be separators elsewhere, for they are passed as they are", () => {
    assert.deepEqual(applied({ "net.core.somaxconn": "1+kernel.core_pattern=|x;%" }), {
      "net.core.somaxconn": "1+kernel.core_pattern=|x;%",
    });
  });

  it("takes an interface's dot as a slash", () => {
    assert.deepEqual(applied({ "net.ipv4.conf.eth0/100.forwarding": "1" }), {
      "net.ipv4.conf.eth0/100.forwarding": "1",
    });
  });

  it("ends the ping groups at the last group of the user namespace", () => {
    const gidMappings = [{ containerId: 0, hostId: 100000, size: 65536 }];
    const ping = "net.ipv4.ping_group_range";
    assert.deepEqual(applied({ [ping]: "0\t2147483647" }, { gidMappings }), { [ping]: "0 65535" });
    assert.deepEqual(applied({ [ping]: "0 1000" }, { gidMappings }), { [ping]: "0 1000" });
    assert.deepEqual(applied({ [ping]: "0 2147483647" }), { [ping]: "0 2147483647" });
  });

  it("says what is left out, and who asked for it", () => {
    const { skipped } = filterSysctls({ ...own, defaults: [["vm.x", "1"]], requested: { "a.b": "1" } });
    assert.deepEqual(skipped.map(skippedSysctlText), [
      'Skipping invalid sysctl specified by config "vm.x": it does not belong to a namespace of the pod',
      'Skipping invalid sysctl specified over CRI "a.b": it does not belong to a namespace of the pod',
    ]);
  });
});
