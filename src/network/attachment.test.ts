import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { attachmentOf, bandwidthFromAnnotations } from "./attachment.ts";
import { jsonInteger } from "./json.ts";
import { integerFromQuantity } from "./quantity.ts";

const pod = {
  id: "0a1b",
  name: "web-0",
  namespace: "shop",
  uid: "u-1",
  netns: "/run/netns/x",
  annotations: { a: "b" },
};

describe("attachmentOf", () => {
  it("tells plugins of a pod what Kubernetes runtimes tell them", () => {
    assert.deepEqual(attachmentOf({ ...pod, cgroupParent: "/kubepods/x" }), {
      containerId: "0a1b",
      netns: "/run/netns/x",
      ifName: "eth0",
      args: [
        ["IgnoreUnknown", "1"],
        ["K8S_POD_NAMESPACE", "shop"],
        ["K8S_POD_NAME", "web-0"],
        ["K8S_POD_INFRA_CONTAINER_ID", "0a1b"],
        ["K8S_POD_UID", "u-1"],
      ],
      capabilityArgs: { cgroupPath: "/kubepods/x", "io.kubernetes.cri.pod-annotations": { a: "b" } },
    });
  });

  it("refuses a name that could add an argument, a variable or a line", () => {
    const separators = [";", "=", "\0", "\n", "\r", "\t", "\x1b", "\x7f", "\u0085", "\u2028", "\u2029"];
    for (const key of ["name", "namespace", "uid"]) {
      for (const separator of separators) {
        for (const value of [`a${separator}K8S_POD_NAME`, separator, `a${separator}`, `${separator}a`]) {
          assert.throws(
            () => attachmentOf({ ...pod, [key]: value }),
            (e) => isFault(e, "invalid"),
            JSON.stringify(value),
          );
        }
      }
    }
    assert.throws(
      () => attachmentOf({ ...pod, name: "x".repeat(5000) }),
      (e) => isFault(e, "invalid"),
    );
  });

  it("refuses ids and namespace paths that are none", () => {
    for (const id of ["", "../x", "a/b", "a\n", "-a", "a b", "x".repeat(300)]) {
      assert.throws(
        () => attachmentOf({ ...pod, id }),
        (e) => isFault(e, "invalid"),
        JSON.stringify(id),
      );
    }
    for (const netns of ["", "relative", "/", "/a\nb", "/a\0"]) {
      assert.throws(
        () => attachmentOf({ ...pod, netns }),
        (e) => isFault(e, "invalid"),
        JSON.stringify(netns),
      );
    }
  });

  it("keeps annotations apart from its own keys, and within bounds", () => {
    const annotations = JSON.parse('{"__proto__":"x","constructor":"y"}');
    const { capabilityArgs } = attachmentOf({ ...pod, annotations });
    assert.equal(
      JSON.stringify(capabilityArgs),
      '{"io.kubernetes.cri.pod-annotations":{"__proto__":"x","constructor":"y"}}',
    );
    const huge = { a: "x".repeat(3 * 1024 * 1024) };
    assert.throws(
      () => attachmentOf({ ...pod, annotations: huge }),
      (e) => isFault(e, "exhausted"),
    );
  });
});

describe("bandwidthFromAnnotations", () => {
  const [ingress, egress] = ["kubernetes.io/ingress-bandwidth", "kubernetes.io/egress-bandwidth"];

  it("is bits per second with the largest burst, for the directions that are limited", () => {
    assert.deepEqual(bandwidthFromAnnotations({ [ingress]: "1M", [egress]: "2Ki" }), {
      ingressRate: 1_000_000,
      ingressBurst: 34359738359,
      egressRate: 2048,
      egressBurst: 34359738359,
    });
    assert.deepEqual(bandwidthFromAnnotations({ [egress]: "9E" }), {
      ingressRate: 0,
      ingressBurst: 0,
      egressRate: jsonInteger(9_000_000_000_000_000_000n),
      egressBurst: 34359738359,
    });
  });

  it("is absent without a positive rate", () => {
    for (const value of ["0", "-5M", "500m", "100E"]) {
      assert.equal(bandwidthFromAnnotations({ [ingress]: value }), undefined, value);
    }
    assert.equal(bandwidthFromAnnotations({}), undefined);
  });

  it("says which direction cannot be read", () => {
    assert.throws(
      () => bandwidthFromAnnotations({ [ingress]: "fast" }),
      /^Fault: failed to parse ingress bandwidth: "fast"/,
    );
    assert.throws(() => bandwidthFromAnnotations({ [egress]: "" }), /^Fault: failed to parse egress bandwidth: /);
  });
});

describe("integerFromQuantity", () => {
  it("reads Kubernetes quantities", () => {
    const cases: readonly (readonly [string, bigint | undefined])[] = [
      ["0", 0n],
      ["10", 10n],
      ["+10k", 10_000n],
      ["-1", -1n],
      ["1.5M", 1_500_000n],
      [".5k", 500n],
      ["1.", 1n],
      ["1e3", 1000n],
      ["1E3", 1000n],
      ["1E", 1_000_000_000_000_000_000n],
      ["12e-1", undefined],
      ["1000m", 1n],
      ["500m", undefined],
      ["1.5Ki", 1536n],
      ["8Ei", undefined],
      ["9223372036854775807", 9223372036854775807n],
      ["9223372036854775808", undefined],
    ];
    for (const [text, value] of cases) assert.equal(integerFromQuantity(text), value, text);
  });

  it("refuses everything else, quickly", () => {
    for (const text of [
      "",
      ".",
      "k",
      "1kk",
      "0x10",
      " 1",
      "1 ",
      "1\n",
      "1,5",
      "--1",
      "1e",
      "1e9999",
      "1".repeat(1e6),
      "NaN",
    ]) {
      assert.throws(
        () => integerFromQuantity(text),
        (e) => isFault(e, "invalid"),
        text.slice(0, 20),
      );
    }
  });
});
