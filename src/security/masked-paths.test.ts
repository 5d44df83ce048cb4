import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { maskedPaths, readonlyPaths, thermalThrottlePaths } from "./masked-paths.ts";

const throttle = ["/sys/devices/system/cpu/cpu0/thermal_throttle"];

describe("maskedPaths", () => {
  it("adds what is dangerous to a list that masks something, sorted and once each", () => {
    const paths = maskedPaths({ masked: ["/proc/kcore", "/proc/zoo"], privileged: false, thermalThrottle: throttle });
    assert.deepEqual(paths, [
      "/proc/acpi",
      "/proc/asound",
      "/proc/interrupts",
      "/proc/kcore",
      "/proc/keys",
      "/proc/latency_stats",
      "/proc/sched_debug",
      "/proc/scsi",
      "/proc/timer_list",
      "/proc/timer_stats",
      "/proc/zoo",
      "/sys/devices/system/cpu/cpu0/thermal_throttle",
      "/sys/devices/virtual/powercap",
      "/sys/firmware",
      "/sys/fs/selinux",
    ]);
  });

  it("masks nothing when nothing is asked for, or for a privileged container", () => {
    assert.deepEqual(maskedPaths({ masked: [], privileged: false, thermalThrottle: throttle }), []);
    assert.deepEqual(maskedPaths({ masked: ["/proc/kcore"], privileged: true, thermalThrottle: throttle }), []);
  });

  it("refuses relative paths and NUL", () => {
    for (const path of ["proc/kcore", "", "/proc\0/kcore"]) {
      assert.throws(
        () => maskedPaths({ masked: [path], privileged: false, thermalThrottle: [] }),
        (error) => isFault(error, "invalid"),
      );
    }
  });
});

describe("readonlyPaths", () => {
  it("are those of the request, or none for a privileged container", () => {
    assert.deepEqual(readonlyPaths({ readonly: ["/proc/sys"], privileged: false }), ["/proc/sys"]);
    assert.deepEqual(readonlyPaths({ readonly: ["/proc/sys"], privileged: true }), []);
  });
});

describe("thermalThrottlePaths", () => {
  it("finds the CPUs that have one", async () => {
    const directory = await mkdtemp(join(tmpdir(), "cpus-"));
    try {
      await mkdir(join(directory, "cpu0", "thermal_throttle"), { recursive: true });
      await mkdir(join(directory, "cpu1"));
      await mkdir(join(directory, "cpufreq", "thermal_throttle"), { recursive: true });
      assert.deepEqual(await thermalThrottlePaths(directory), throttle);
      assert.deepEqual(await thermalThrottlePaths(join(directory, "missing")), []);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
