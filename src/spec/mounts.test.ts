import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { checkMountRequests, type MountRequest, type MountRules, type MountSource } from "./mount-request.ts";
import { planMounts } from "./mounts.ts";
import { mountLines } from "./test-plans.ts";

const rules: MountRules = {
  storageRoot: "/var/lib/containers/storage",
  emptyDirectory: "/run/crio/image-volumes",
  absentSourcesToReject: ["/etc/hostname"],
  runtime: { idmap: true, recursiveReadOnly: true },
  keepLabels: false,
};

const plain: MountRequest = {
  containerPath: "/data",
  hostPath: "/srv/data",
  readonly: false,
  recursiveReadOnly: false,
  selinuxRelabel: false,
  propagation: "private",
  uidMappings: [],
  gidMappings: [],
  imageSubPath: "",
};

const shared = { mountPoint: "/", shared: true, slave: false };
const slave = { mountPoint: "/srv", shared: false, slave: true };
const alone = { mountPoint: "/srv", shared: false, slave: false };

function hostSource(path: string, change: Partial<Extract<MountSource, { is: "host" }>> = {}): MountSource {
  return { is: "host", path, exists: true, mount: shared, ...change };
}

function planOne(request: Partial<MountRequest>, source?: MountSource, change: Partial<MountRules> = {}) {
  const full = { ...plain, ...request };
  return planMounts([{ request: full, source: source ?? hostSource(full.hostPath) }], { ...rules, ...change });
}

function refuses(message: string | RegExp, plan: () => unknown): void {
  assert.throws(
    plan,
    (error) =>
      isFault(error, "invalid") &&
      (typeof message === "string" ? error.message === message : message.test(error.message)),
  );
}

describe("planMounts", () => {
  it("binds a host path privately, writable or not", () => {
    assert.deepEqual(mountLines(planOne({}).binds), ["/data bind /srv/data rbind,rprivate,rw,bind"]);
    assert.deepEqual(mountLines(planOne({ readonly: true }).binds), ["/data bind /srv/data rbind,rprivate,ro,bind"]);
    assert.equal(planOne({}).rootfsPropagation, undefined);
  });

  it("remembers what status and the Volumes annotation tell", () => {
    assert.deepEqual(planOne({ readonly: true, containerPath: "/data/" }).volumes, [
      {
        containerPath: "/data/",
        hostPath: "/srv/data",
        readonly: true,
        recursiveReadOnly: false,
        propagation: "private",
        selinuxRelabel: false,
      },
    ]);
  });

  it("sorts by depth, keeps the last of two at one place, and cleans paths", () => {
    const at = (containerPath: string, hostPath: string) => ({
      request: { ...plain, containerPath, hostPath },
      source: hostSource(hostPath),
    });
    const plan = planMounts([at("/a/b/c", "/1"), at("/a/", "/2"), at("/x//../a/b", "/3"), at("/a", "/4")], rules);
    assert.deepEqual(
      plan.binds.map(({ destination, source }) => [destination, source]),
      [
        ["/a", "/4"],
        ["/a/b", "/3"],
        ["/a/b/c", "/1"],
      ],
    );
    assert.deepEqual([...plan.destinations], ["/a", "/a/b", "/a/b/c"]);
  });

  it("never leads out of the root by a container path", () => {
    assert.deepEqual(planOne({ containerPath: "../../etc" }).binds[0]?.destination, "/etc");
  });

  describe("propagation", () => {
    it("follows the host where the source is shared or a slave", () => {
      const plan = planOne({ propagation: "host-to-container" }, hostSource("/srv/data", { mount: slave }));
      assert.deepEqual(mountLines(plan.binds), ["/data bind /srv/data rbind,rslave,rw,bind"]);
      assert.equal(plan.rootfsPropagation, "rslave");
    });

    it("goes both ways where the source is shared, and decides the root's", () => {
      const both = { request: { ...plain, propagation: "bidirectional" as const }, source: hostSource("/srv/data") };
      const one = {
        request: { ...plain, containerPath: "/b", propagation: "host-to-container" as const },
        source: hostSource("/b"),
      };
      const plan = planMounts([one, both], rules);
      assert.deepEqual(mountLines(plan.binds)[1], "/data bind /srv/data rbind,rshared,rw,bind");
      assert.equal(plan.rootfsPropagation, "rshared");
    });

    it("is refused where the source does not have it", () => {
      const source = hostSource("/srv/data", { mount: alone });
      refuses('path "/srv/data" is mounted on "/srv" but it is not a shared or slave mount', () =>
        planOne({ propagation: "host-to-container" }, source),
      );
      refuses('path "/srv/data" is mounted on "/srv" but it is not a shared mount', () =>
        planOne({ propagation: "bidirectional" }, hostSource("/srv/data", { mount: slave })),
      );
      refuses(/could not find the source mount/, () =>
        planOne({ propagation: "bidirectional" }, { is: "host", path: "/srv/data", exists: true }),
      );
    });

    it("follows the host when the source holds the container storage", () => {
      const plan = planOne({ hostPath: "/var/lib" });
      assert.deepEqual(mountLines(plan.binds), ["/data bind /var/lib rbind,rslave,rw,bind"]);
      assert.equal(plan.volumes[0]?.propagation, "host-to-container");
      assert.equal(plan.warnings.length, 1);
      assert.deepEqual(mountLines(planOne({ hostPath: "/" }).binds), ["/data bind / rbind,rslave,rw,bind"]);
      assert.match(mountLines(planOne({ hostPath: "/var/lib/containers/storage2" }).binds)[0] ?? "", /rprivate/);
    });
  });

  describe("recursive read-only", () => {
    const request = { readonly: true, recursiveReadOnly: true };

    it("is rro", () => {
      assert.deepEqual(mountLines(planOne(request).binds), ["/data bind /srv/data rbind,rprivate,rro,bind"]);
    });

    it("is refused on a writable mount, without the runtime, or with propagation", () => {
      refuses('recursive read-only mount conflicts with read-write mount for hostPath "/srv/data"', () =>
        planOne({ recursiveReadOnly: true }),
      );
      refuses('recursive read-only mount support is not available for hostPath "/srv/data"', () =>
        planOne(request, undefined, { runtime: { idmap: true, recursiveReadOnly: false } }),
      );
      refuses(
        'recursive read-only mount requires private propagation for hostPath "/srv/data", got: PROPAGATION_HOST_TO_CONTAINER',
        () => planOne({ ...request, propagation: "host-to-container" }),
      );
    });
  });

  it("maps ids where the runtime can", () => {
    const mapping = { hostId: 100000, containerId: 0, length: 65536 };
    const request = { uidMappings: [mapping], gidMappings: [mapping] };
    assert.deepEqual(planOne(request).binds[0]?.uidMappings, [{ containerID: 0, hostID: 100000, size: 65536 }]);
    refuses("idmap mounts specified but OCI runtime does not support them. Perhaps the OCI runtime is too old", () =>
      planOne(request, undefined, { runtime: { idmap: false, recursiveReadOnly: true } }),
    );
  });

  it("asks for a missing source to be made, unless that would do harm", () => {
    assert.deepEqual(planOne({}, hostSource("/srv/data", { exists: false })).createDirectories, ["/srv/data"]);
    refuses("cannot mount /etc/hostname: path does not exist and will cause issues as a directory", () =>
      planOne({}, hostSource("/etc/hostname", { exists: false })),
    );
  });

  it("asks for a label where the request does, unless volumes keep theirs", () => {
    assert.deepEqual(planOne({ selinuxRelabel: true }).relabel, ["/srv/data"]);
    assert.deepEqual(planOne({ selinuxRelabel: true }, undefined, { keepLabels: true }).relabel, []);
    assert.deepEqual(planOne({}).relabel, []);
  });

  it("warns about the host's root as the container's", () => {
    assert.equal(planOne({ hostPath: "/", containerPath: "/", propagation: "host-to-container" }).warnings.length, 1);
  });

  it("refuses empty paths and NUL", () => {
    refuses("mount.ContainerPath is empty", () => checkMountRequests([{ ...plain, containerPath: "" }]));
    refuses("mount.HostPath is empty", () => checkMountRequests([{ ...plain, hostPath: "" }]));
    refuses(/NUL/, () => checkMountRequests([{ ...plain, hostPath: "/a\0b" }]));
    checkMountRequests([{ ...plain, hostPath: "", image: "busybox" }]);
  });
});

describe("planMounts of images", () => {
  const image = { image: "quay.io/x", hostPath: "" };
  const source: MountSource = { is: "image", imageId: "1234", path: "/mnt/image", isMapped: false };

  it("stacks the image on the empty directory", () => {
    const plan = planOne(image, source);
    assert.deepEqual(mountLines(plan.images), ["/data overlay overlay lowerdir=/mnt/image:/run/crio/image-volumes"]);
    assert.deepEqual(plan.binds, []);
    assert.deepEqual(plan.volumes, [
      {
        containerPath: "/data",
        hostPath: "/mnt/image",
        readonly: true,
        recursiveReadOnly: false,
        propagation: "private",
        selinuxRelabel: false,
        image: "1234",
      },
    ]);
  });

  it("binds an image that was mounted for the pod's users, whose ids need not be mapped again", () => {
    const uidMappings = [{ hostId: 1000, containerId: 0, length: 10 }];
    const plan = planOne({ ...image, uidMappings }, { ...source, isMapped: true });
    assert.deepEqual(mountLines(plan.images), ["/data bind /mnt/image rbind,rprivate,nodev,nosuid,ro,bind"]);
    assert.equal(plan.images[0]?.uidMappings, undefined);
    assert.equal(plan.volumes[0]?.image, "1234");
  });

  it("keeps a sub path from adding directories or options", () => {
    const path = "/mnt/image/a:/etc,upperdir=/x\\";
    assert.deepEqual(planOne(image, { ...source, path }).images[0]?.options, [
      "lowerdir=/mnt/image/a\\:/etc\\,upperdir=/x\\\\:/run/crio/image-volumes",
    ]);
  });

  it("says ImageVolumeMountFailed, which the kubelet looks for", () => {
    refuses(/^ImageVolumeMountFailed: idmap mounts/, () =>
      planOne({ ...image, uidMappings: [{ hostId: 1, containerId: 0, length: 1 }] }, source, {
        runtime: { idmap: false, recursiveReadOnly: false },
      }),
    );
  });
});

describe("planMounts of artifacts", () => {
  const image = { image: "quay.io/model", hostPath: "" };
  const source: MountSource = {
    is: "artifact",
    files: [
      { name: "weights/a.bin", path: "/blobs/1" },
      { name: "readme", path: "/blobs/2" },
      { name: "../../etc/passwd", path: "/blobs/3" },
      { name: "weights2/b.bin", path: "/blobs/4" },
      { name: "/", path: "/blobs/5" },
    ],
  };

  it("binds each named file below the container path, and none outside", () => {
    assert.deepEqual(mountLines(planOne(image, source).images), [
      "/data/weights/a.bin bind /blobs/1 bind,ro",
      "/data/readme bind /blobs/2 bind,ro",
      "/data/etc/passwd bind /blobs/3 bind,ro",
      "/data/weights2/b.bin bind /blobs/4 bind,ro",
    ]);
  });

  it("keeps what is below a sub path, without it", () => {
    assert.deepEqual(mountLines(planOne({ ...image, imageSubPath: "weights/" }, source).images), [
      "/data/a.bin bind /blobs/1 bind,ro",
    ]);
    refuses('ImageVolumeMountFailed: sub path "weight" does not exist in OCI artifact volume "quay.io/model"', () =>
      planOne({ ...image, imageSubPath: "weight" }, source),
    );
  });

  it("asks for labels on the files", () => {
    assert.deepEqual(planOne({ ...image, imageSubPath: "readme", selinuxRelabel: true }, source).relabel, ["/blobs/2"]);
  });
});
