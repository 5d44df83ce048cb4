import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { contentsOf, resultOf } from "./result.ts";
import { convertResult } from "./result-conversion.ts";
import { cniVersions } from "./versions.ts";

const pair = {
  cniVersion: "0.2.0",
  ip4: {
    ip: "10.1.0.5/24",
    gateway: "10.1.0.1",
    routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1" }, { dst: "10.2.0.0/16" }],
  },
  ip6: { ip: "fd00::5/64", routes: [{ dst: "::/0" }] },
  dns: { nameservers: ["10.1.0.1"] },
};

const routes = [{ dst: "0.0.0.0/0", gw: "10.1.0.1" }, { dst: "10.2.0.0/16" }, { dst: "::/0" }];

const versioned = {
  cniVersion: "0.4.0",
  ips: [
    { version: "4", address: "10.1.0.5/24", gateway: "10.1.0.1" },
    { version: "6", address: "fd00::5/64" },
  ],
  routes,
  dns: pair.dns,
};

const lists = {
  cniVersion: "1.0.0",
  ips: [{ address: "10.1.0.5/24", gateway: "10.1.0.1" }, { address: "fd00::5/64" }],
  routes,
  dns: pair.dns,
};

const sorted = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("convertResult", () => {
  it("goes between the three shapes without loss where they can say the same", () => {
    const all = { "0.2.0": pair, "0.4.0": versioned, "1.0.0": lists } as const;
    for (const [from, given] of Object.entries(all)) {
      for (const [to, expected] of Object.entries(all)) {
        const result = convertResult(resultOf(given, "1.1.0"), to as keyof typeof all);
        assert.deepEqual(sorted(result.json), sorted(expected), `${from} to ${to}`);
      }
    }
  });

  it("changes nothing but the version within a shape", () => {
    const with110 = {
      cniVersion: "1.1.0",
      interfaces: [{ name: "eth0", mac: "0a:00:00:00:00:01", sandbox: "/run/netns/a", mtu: 1400, pciID: "x" }],
      ips: [{ address: "10.1.0.5/24", interface: 0 }],
      later: { kept: true },
    };
    const result = convertResult(resultOf(with110, "1.1.0"), "1.0.0");
    assert.deepEqual(result.json, { ...with110, cniVersion: "1.0.0" });
    assert.equal(convertResult(resultOf(versioned, "0.4.0"), "0.3.1").json.cniVersion, "0.3.1");
    assert.equal(convertResult(resultOf(pair, "0.1.0"), "0.1.0").json.cniVersion, "0.1.0");
  });

  it("keeps interfaces and indexes between lists, and drops what the older shape has not", () => {
    const given = {
      cniVersion: "1.1.0",
      interfaces: [{ name: "veth1" }, { name: "eth0", mac: "0a:00:00:00:00:01", sandbox: "/run/netns/a", mtu: 1400 }],
      ips: [{ address: "fd00::5/64", interface: 1 }],
    };
    assert.deepEqual(convertResult(resultOf(given, "1.1.0"), "0.3.1").json, {
      cniVersion: "0.3.1",
      interfaces: [{ name: "veth1" }, { name: "eth0", mac: "0a:00:00:00:00:01", sandbox: "/run/netns/a" }],
      ips: [{ version: "6", interface: 1, address: "fd00::5/64" }],
    });
  });

  it("keeps the first address of each family towards 0.2.0", () => {
    const given = { ips: [{ address: "10.1.0.5/24" }, { address: "10.1.0.6/24" }, { address: "fd00::5/64" }] };
    assert.deepEqual(convertResult(resultOf(given, "1.0.0"), "0.2.0").json, {
      cniVersion: "0.2.0",
      ip4: { ip: "10.1.0.5/24" },
      ip6: { ip: "fd00::5/64" },
    });
  });

  it("refuses a result without addresses towards 0.2.0", () => {
    assert.throws(
      () => convertResult(resultOf({}, "1.0.0"), "0.2.0"),
      (e) => isFault(e, "invalid"),
    );
  });
});

describe("resultOf", () => {
  it("takes the configuration's version when the plugin states none", () => {
    assert.deepEqual(resultOf({}, "0.3.1"), { version: "0.3.1", json: { cniVersion: "0.3.1" } });
    assert.equal(resultOf({ cniVersion: "" }, "0.4.0").version, "0.4.0");
  });

  it("refuses versions, addresses, gateways and lists that are not what the specification says", () => {
    const bad: readonly object[] = [
      { cniVersion: "9.0.0" },
      { cniVersion: 1 },
      { ips: [{ address: "10.0.0.1" }] },
      { ips: [{ address: "10.0.0.1/33" }] },
      { ips: [{ address: "10.0.0.01/24" }] },
      { ips: [{ address: "fe80::1%eth0/64" }] },
      { ips: [{ address: "10.0.0.1/24", gateway: "nope" }] },
      { ips: ["10.0.0.1/24"] },
      { ips: {} },
      { interfaces: [{ name: 5 }] },
      { ips: Array.from({ length: 5000 }, () => ({ address: "10.0.0.1/24" })) },
    ];
    for (const json of bad) {
      assert.throws(
        () => resultOf(json as Record<string, unknown>, "1.0.0"),
        (e) => isFault(e),
        JSON.stringify(json).slice(0, 80),
      );
    }
  });
});

describe("contentsOf", () => {
  it("reads addresses in the result's order, canonical and without prefix", () => {
    const json = {
      ips: [{ address: "FD00:0::5/64" }, { address: "::ffff:10.1.0.5/120" }, { address: "10.1.0.6/24" }],
      interfaces: [
        { name: "br0", mac: "" },
        { name: "eth0", mac: "0a:00:00:00:00:01", sandbox: "/run/netns/a" },
      ],
    };
    assert.deepEqual(contentsOf(resultOf(json, "1.0.0")), {
      ips: ["fd00::5", "10.1.0.5", "10.1.0.6"],
      interfaces: [
        { name: "br0", mac: undefined, sandbox: undefined },
        { name: "eth0", mac: "0a:00:00:00:00:01", sandbox: "/run/netns/a" },
      ],
    });
  });

  it("reads the same addresses from every version's shape", () => {
    for (const version of cniVersions) {
      const { ips } = contentsOf(convertResult(resultOf(lists, "1.0.0"), version));
      assert.deepEqual(ips, ["10.1.0.5", "fd00::5"], version);
    }
  });
});
