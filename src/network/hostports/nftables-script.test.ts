import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mappingsOf } from "./mapping.ts";
import { parseElements } from "./nftables-elements.ts";
import { addScript, commentOf, deleteScript, tableScript } from "./nftables-script.ts";

const mappings = mappingsOf("pod1", 4, [
  { hostPort: 8080, containerPort: 80, protocol: "TCP", hostIp: "" },
  { hostPort: 53, containerPort: 5353, protocol: "UDP", hostIp: "192.0.2.1" },
]);

describe("tableScript", () => {
  it("makes CRI-O's table", () => {
    const lines = tableScript(6).split("\n");
    for (const line of [
      'add table ip6 crio-hostports { comment "HostPort rules created by CRI-O" ; }',
      "add chain ip6 crio-hostports hostports",
      "flush chain ip6 crio-hostports hostports",
      "add chain ip6 crio-hostports prerouting { type nat hook prerouting priority -100 ; }",
      "add chain ip6 crio-hostports output { type nat hook output priority -100 ; }",
      "add chain ip6 crio-hostports masquerading { type nat hook postrouting priority 100 ; }",
      "add rule ip6 crio-hostports output fib daddr type local goto hostports",
      "add rule ip6 crio-hostports hostports dnat ip6 addr . port to meta l4proto . th dport map @hostports",
      "add rule ip6 crio-hostports masquerading ct status & (dnat | snat) == dnat ip6 saddr . ip6 daddr @hairpins masquerade",
    ]) {
      assert.ok(lines.includes(line), line);
    }
    assert.match(
      lines.join("\n"),
      /add map ip6 \S+ hostipports \{ type ipv6_addr \. inet_proto \. inet_service : ipv6_addr \. inet_service ;/,
    );
  });

  it("looks up the host's address before it takes any", () => {
    const rules = tableScript(4).match(/ map @\w+/g);
    assert.deepEqual(rules, [" map @hostipports", " map @hostports"]);
  });
});

describe("addScript", () => {
  it("adds an element for each mapping and one for the hairpin, marked with the pod", () => {
    const comment = commentOf("pod1");
    assert.equal(
      addScript(4, "pod1", "10.0.0.2", mappings).slice(tableScript(4).length),
      `add element ip crio-hostports hostports { tcp . 8080 comment "${comment}" : 10.0.0.2 . 80 }
add element ip crio-hostports hostipports { 192.0.2.1 . udp . 53 comment "${comment}" : 10.0.0.2 . 5353 }
add element ip crio-hostports hairpins { 10.0.0.2 . 10.0.0.2 comment "${comment}" }
`,
    );
  });
});

describe("parseElements", () => {
  const listing = (...entries: readonly object[]) => Buffer.from(JSON.stringify({ nftables: entries }));

  it("finds the elements with comments, whose keys go back into a script", () => {
    const output = listing(
      { metainfo: { version: "1.0.6" } },
      { table: { family: "ip", name: "crio-hostports" } },
      {
        map: {
          name: "hostports",
          elem: [
            [{ elem: { val: { concat: ["tcp", 80] }, comment: "ABC" } }, { concat: ["10.0.0.2", 8080] }],
            [{ concat: ["udp", 53] }, { concat: ["10.0.0.3", 53] }],
          ],
        },
      },
      { map: { name: "hostipports" } },
      { map: { name: "other", elem: [[{ elem: { val: { concat: ["tcp", 1] }, comment: "X" } }, "y"]] } },
      { set: { name: "hairpins", elem: [{ elem: { val: { concat: ["fd00::2", "fd00::2"] }, comment: "DEF" } }] } },
      { chain: { name: "hostports" } },
    );
    const elements = parseElements(output, 10_000);
    assert.deepEqual(elements, [
      { container: "hostports", comment: "ABC", key: ["tcp", 80] },
      { container: "hairpins", comment: "DEF", key: ["fd00::2", "fd00::2"] },
    ]);
    assert.equal(
      deleteScript(6, elements),
      "delete element ip6 crio-hostports hostports { tcp . 80 }\n" +
        "delete element ip6 crio-hostports hairpins { fd00::2 . fd00::2 }\n",
    );
  });

  it("passes over what it does not know and never repeats what is no key", () => {
    const keys: readonly unknown[] = [
      { concat: ["tcp } ; flush ruleset ; {", 80] },
      { concat: [{ prefix: { addr: "10.0.0.0", len: 8 } }, 80] },
      { concat: [] },
      "tcp",
      5,
    ];
    const elem = keys.map((val) => [{ elem: { val, comment: "ABC" } }, "x"]);
    assert.deepEqual(parseElements(listing({ map: { name: "hostports", elem } }), 10_000), []);
  });

  it("refuses what is not nft's JSON", () => {
    for (const text of ["", "table ip x {}", '{"nftables":5}', '{"nftables":[1]}']) {
      assert.throws(() => parseElements(Buffer.from(text), 10_000), text);
    }
  });
});
