import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { layoutOf } from "./layout.ts";
import { childCgroup, lineageOf, parseCgroupPath, rootCgroup } from "./path.ts";
import { expandSlice } from "./slice.ts";

const id = "3f2a".repeat(16);
const podSlice = "kubepods-burstable-pod1_2.slice";
const podSlicePath = `/kubepods.slice/kubepods-burstable.slice/${podSlice}`;
const invalid = (error: unknown) => isFault(error, "invalid");

/** What a hostile pod might call its parent. */
const hostile = [
  "..",
  "/..",
  "/kubepods/../../etc",
  "/a/./b",
  "a\0b",
  "a\nb.slice",
  "/kubepods/\u0085",
  "/kubepods/\u2028x",
  `/${"x".repeat(256)}`,
  `/${"x".repeat(250)}.slice`,
  `/${"abc/".repeat(1000)}`,
];

describe("under systemd", () => {
  const layout = layoutOf("systemd");

  it("a pod's parent is reduced to the name of its slice", () => {
    const expected = { cgroupParent: podSlice, cgroupsPath: `${podSlice}:crio:${id}` };
    assert.deepEqual(layout.sandboxPath(podSlicePath, id), expected);
    assert.deepEqual(layout.sandboxPath(podSlice, id), expected);
    assert.deepEqual(layout.sandboxPath(`${podSlicePath}/`, id), expected);
    assert.deepEqual(layout.sandboxPath("", id), { cgroupParent: "" });
  });

  it("a pod's parent must be a slice", () => {
    const text = "cri-o configured with systemd cgroup manager, but did not receive slice as parent: /kubepods/pod1";
    assert.throws(() => layout.sandboxPath("/kubepods/pod1", id), { message: text });
    assert.throws(() => layout.sandboxPath("/", id), /did not receive slice as parent: \/$/);
    assert.throws(() => layout.sandboxPath("/a.slice/b.scope", id), /did not receive slice as parent/);
  });

  it("a container is a scope in the pod's slice, or in system.slice", () => {
    assert.equal(layout.containerPath(podSlice, id), `${podSlice}:crio:${id}`);
    assert.equal(layout.containerPath("", id), `system.slice:crio:${id}`);
    assert.equal(layout.containerCgroup(podSlice, id), `${podSlicePath}/crio-${id}.scope`);
    assert.equal(layout.containerCgroup("", id), `/system.slice/crio-${id}.scope`);
    assert.equal(layout.podCgroup(podSlice), podSlicePath);
    assert.equal(layout.podCgroup(""), undefined);
  });

  it("nothing that could be read as another cgroup passes", () => {
    const slices = [
      "a:b.slice",
      "a b.slice",
      "-a.slice",
      "a-.slice",
      "a--b.slice",
      ".slice",
      "%i.slice",
      "ä.slice",
      "a;b.slice",
    ];
    for (const parent of [...hostile, ...slices]) {
      assert.throws(() => layout.sandboxPath(parent, id), invalid, JSON.stringify(parent));
      assert.throws(() => layout.containerPath(parent, id), invalid, JSON.stringify(parent));
      assert.throws(() => layout.podCgroup(parent), invalid, JSON.stringify(parent));
    }
  });
});

describe("under cgroupfs", () => {
  const layout = layoutOf("cgroupfs");

  it("a pod is a directory of its parent", () => {
    const expected = { cgroupParent: "/kubepods/pod1", cgroupsPath: `/kubepods/pod1/crio-${id}` };
    assert.deepEqual(layout.sandboxPath("/kubepods/pod1", id), expected);
    assert.deepEqual(layout.sandboxPath("", id), { cgroupParent: "", cgroupsPath: `/crio-${id}` });
  });

  it("a pod's parent must not be a slice", () => {
    const text = `cri-o configured with cgroupfs cgroup manager, but received systemd slice as parent: ${podSlicePath}`;
    assert.throws(() => layout.sandboxPath(podSlicePath, id), { message: text });
  });

  it("a container is a directory of the pod's parent, or of /crio", () => {
    assert.equal(layout.containerPath("/kubepods/pod1", id), `/kubepods/pod1/crio-${id}`);
    assert.equal(layout.containerPath("kubepods/pod1", id), `/kubepods/pod1/crio-${id}`);
    assert.equal(layout.containerPath("", id), `/crio/crio-${id}`);
    assert.equal(layout.containerCgroup("", id), `/crio/crio-${id}`);
    assert.equal(layout.podCgroup("/kubepods//pod1/"), "/kubepods/pod1");
  });

  it("nothing that leaves the tree passes", () => {
    for (const parent of hostile) {
      assert.throws(() => layout.sandboxPath(parent, id), invalid, JSON.stringify(parent));
      assert.throws(() => layout.containerPath(parent, id), invalid, JSON.stringify(parent));
    }
  });
});

describe("after a change of the driver", () => {
  it("pods that were made before are found where they are", () => {
    for (const driver of ["systemd", "cgroupfs"] as const) {
      const layout = layoutOf(driver);
      assert.equal(layout.podCgroup(podSlice), podSlicePath);
      assert.equal(layout.podCgroup("/kubepods/pod1"), "/kubepods/pod1");
      assert.equal(layout.containerCgroup(podSlice, id), `${podSlicePath}/crio-${id}.scope`);
      assert.equal(layout.containerCgroup("/kubepods/pod1", id), `/kubepods/pod1/crio-${id}`);
    }
  });
});

describe("an id", () => {
  it("is refused when it could be more than one name", () => {
    for (const driver of ["systemd", "cgroupfs"] as const) {
      for (const bad of ["", "..", "a/b", "a:b", "a b", "-a", "a\0", "a\n", "ä", "a".repeat(129)]) {
        assert.throws(() => layoutOf(driver).containerPath("", bad), invalid, `${driver} ${JSON.stringify(bad)}`);
        assert.throws(() => layoutOf(driver).sandboxPath("a.slice", bad), invalid);
      }
    }
  });
});

describe("a slice", () => {
  it("is where its dashes say", () => {
    assert.equal(expandSlice("a-b-c.slice"), "/a.slice/a-b.slice/a-b-c.slice");
    assert.equal(expandSlice("system.slice"), "/system.slice");
    assert.equal(expandSlice("-.slice"), "/");
    for (const bad of ["a-b", "a.scope", "a--b.slice", "-a.slice", "a-.slice", "a/b.slice", ""]) {
      assert.throws(() => expandSlice(bad), invalid, bad);
    }
  });
});

describe("a cgroup path", () => {
  it("is normal and knows what contains it", () => {
    assert.equal(parseCgroupPath("//a/b/"), "/a/b");
    assert.equal(parseCgroupPath(""), rootCgroup);
    assert.deepEqual(lineageOf(parseCgroupPath("/a/b")), ["/", "/a", "/a/b"]);
    assert.deepEqual(lineageOf(rootCgroup), ["/"]);
    assert.equal(childCgroup(rootCgroup, "a"), "/a");
    for (const bad of ["", "a/b", "..", "."]) assert.throws(() => childCgroup(rootCgroup, bad), invalid, bad);
  });
});
