import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../../base/index.ts";
import { type HostPortMapping, mappingsOf, parsePodAddress, removableMappingsOf, shortHash } from "./mapping.ts";

const web: HostPortMapping = { hostPort: 8080, containerPort: 80, protocol: "TCP", hostIp: "" };

describe("mappingsOf", () => {
  it("keeps what concerns the family", () => {
    const hostIps = (family: 4 | 6) =>
      mappingsOf(
        "pod1",
        family,
        ["", "0.0.0.0", "::", "192.0.2.1", "2001:DB8::1"].map((hostIp) => ({ ...web, hostIp })),
      ).map(({ hostIp }) => hostIp);
    assert.deepEqual(hostIps(4), [undefined, undefined, "192.0.2.1"]);
    assert.deepEqual(hostIps(6), [undefined, undefined, "2001:db8::1"]);
  });

  it("drops ports that are not mapped", () => {
    assert.deepEqual(
      mappingsOf("pod1", 4, [
        { ...web, hostPort: 0 },
        { ...web, hostPort: -1, containerPort: 0 },
      ]),
      [],
    );
  });

  it("hashes as CRI-O does, which finds chains by it", () => {
    assert.equal(shortHash("abc"), "XJ4BNP4PAHH6UQKB");
    assert.equal(mappingsOf("pod1", 4, [web])[0]?.hash, "FNOZLF3RBUXRNOVR");
    const dns: HostPortMapping = { hostPort: 53, containerPort: 53, protocol: "UDP", hostIp: "192.0.2.1" };
    assert.equal(mappingsOf("pod1", 4, [dns])[0]?.hash, "HZBJZAHIYNIPJXOP");
  });

  it("refuses what could become another rule", () => {
    const bad: readonly object[] = [
      { hostPort: 65536 },
      { hostPort: 80.5 },
      { hostPort: Number.NaN },
      { containerPort: 0 },
      { containerPort: -1 },
      { protocol: "tcp" },
      { protocol: "ICMP" },
      { hostIp: "host" },
      { hostIp: "10.0.0.1 . tcp" },
      { hostIp: "10.0.0.1/8" },
      { hostIp: "fe80::1%eth0" },
      { hostIp: "10.0.0.1\n-A OUTPUT -j DROP" },
    ];
    for (const part of bad) {
      const mapping = { ...web, ...part };
      assert.throws(
        () => mappingsOf("pod1", 4, [mapping]),
        (e) => isFault(e, "invalid"),
        JSON.stringify(part),
      );
      assert.equal(removableMappingsOf("pod1", 4, [mapping, web]).length, 1);
    }
  });
});

describe("parsePodAddress", () => {
  it("knows the family", () => {
    assert.deepEqual(parsePodAddress("10.0.0.2"), { ip: "10.0.0.2", family: 4 });
    assert.deepEqual(parsePodAddress("::ffff:10.0.0.2"), { ip: "10.0.0.2", family: 4 });
    assert.deepEqual(parsePodAddress("FD00::2"), { ip: "fd00::2", family: 6 });
    for (const text of ["", "10.0.0.2/24", "x", "10.0.0.2 }"]) {
      assert.throws(
        () => parsePodAddress(text),
        (e) => isFault(e, "invalid"),
        text,
      );
    }
  });
});
