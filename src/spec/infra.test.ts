import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { runtimeJson } from "../oci/index.ts";
import { buildInfraSpec, infraArgs } from "./infra.ts";
import { mountLines, testHost, testInfraPlan } from "./test-plans.ts";

describe("buildInfraSpec", () => {
  it("writes a read-only pause container that is killed last", () => {
    const spec = buildInfraSpec({
      ...testInfraPlan,
      cpuset: "0-1",
      sysctls: [["net.core.somaxconn", "1024"]],
    });
    const { mounts, ...rest } = JSON.parse(runtimeJson(spec));
    const defaults = ["CAP_CHOWN", "CAP_KILL"];
    assert.deepEqual(rest, {
      ociVersion: "1.2.1",
      process: {
        user: { uid: 0, gid: 0 },
        args: ["/pause"],
        env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
        cwd: "/",
        capabilities: { bounding: defaults, effective: defaults, inheritable: [], permitted: defaults, ambient: [] },
        noNewPrivileges: false,
        oomScoreAdj: -998,
      },
      root: { path: "/merged", readonly: true },
      hostname: "pod-1",
      annotations: { "io.container.manager": "cri-o" },
      linux: {
        sysctl: { "net.core.somaxconn": "1024" },
        resources: { devices: [{ allow: false, access: "rwm" }], cpu: { shares: 2, cpus: "0-1" } },
        cgroupsPath: "kubepods.slice:crio:p",
        namespaces: [
          { type: "pid" },
          { type: "network", path: "/run/netns/n" },
          { type: "ipc", path: "/run/ipcns/n" },
          { type: "uts", path: "/run/utsns/n" },
          { type: "mount" },
        ],
      },
    });
    assert.deepEqual(mountLines(mounts), [
      "/proc proc proc nosuid,noexec,nodev",
      "/dev tmpfs tmpfs nosuid,strictatime,mode=755,size=65536k",
      "/dev/pts devpts devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
      "/dev/mqueue mqueue mqueue nosuid,noexec,nodev",
      "/sys sysfs sysfs nosuid,noexec,nodev,ro",
      "/etc/resolv.conf bind /run/pod/resolv.conf ro,bind,nodev,nosuid,noexec",
      "/dev/shm bind /run/pod/shm rw,bind",
      "/etc/hostname bind /run/pod/hostname ro,bind,nodev,nosuid,noexec",
    ]);
  });

  it("gives a user namespace the host's trees for what it shares with the host", () => {
    const host = { is: "host" } as const;
    const user = { path: "/run/userns/n", uidMappings: [], gidMappings: [] };
    const namespaces = { ...testInfraPlan.namespaces, ipc: host, network: host, pid: host };
    const trees = (lines: readonly string[]) => lines.filter((line) => line.includes("rbind"));
    assert.deepEqual(
      trees(mountLines(buildInfraSpec({ ...testInfraPlan, namespaces: { ...namespaces, user } }).mounts)),
      ["/dev/mqueue bind /dev/mqueue rw,rbind", "/sys bind /sys ro,rbind", "/proc bind /proc rw,rbind"],
    );
    assert.deepEqual(trees(mountLines(buildInfraSpec({ ...testInfraPlan, namespaces }).mounts)), []);
  });

  it("keeps the score it has where it may not lower it", () => {
    const host = { ...testHost, inherited: { oomScoreAdj: 0, hardRlimits: new Map() } };
    assert.equal(buildInfraSpec({ ...testInfraPlan, host }).process?.oomScoreAdj, undefined);
  });
});

describe("infraArgs", () => {
  const image = { Entrypoint: ["/e"], Cmd: ["c"] };

  it("is pause_command, or what the image says", () => {
    assert.deepEqual(infraArgs("/pause", { image, name: "p" }), ["/pause"]);
    assert.deepEqual(infraArgs("", { image, name: "p" }), ["/e", "c"]);
    assert.throws(
      () => infraArgs("", { image: { Entrypoint: [], Cmd: [] }, name: "registry/pause:1" }),
      (error) =>
        isFault(error, "invalid") &&
        error.message === 'unable to run pause image "registry/pause:1": neither Cmd nor Entrypoint specified',
    );
  });
});
