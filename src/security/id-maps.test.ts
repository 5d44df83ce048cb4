import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import {
  containsId,
  highestContainerId,
  idMappingsText,
  linuxIdMappings,
  parseIdMappings,
  toContainerId,
  toHostId,
} from "./id-maps.ts";

const two = parseIdMappings("0:100000:1000,5000:200000:10");

describe("parseIdMappings", () => {
  it("reads container:host:size", () => {
    assert.deepEqual(two, [
      { containerId: 0, hostId: 100000, size: 1000 },
      { containerId: 5000, hostId: 200000, size: 10 },
    ]);
    assert.equal(idMappingsText(two), "0:100000:1000,5000:200000:10");
  });

  it("reads a range up to the last id", () => {
    assert.equal(highestContainerId(parseIdMappings("0:0:4294967295")), 4294967294);
  });

  for (const text of [
    "",
    "0:1",
    "0:1:0",
    "0:1:-1",
    "0:1:+1",
    " 0:1:1",
    "0:1:1,",
    "0:1:1;2:3:4",
    "0x0:1:1",
    "0:1:1e3",
    "0:4294967295:1",
    "4294967295:0:1",
    "0:0:4294967296",
    "0:0:99999999999999999999",
    "0:100:10,5:200:10",
    "0:100:10,20:105:10",
  ]) {
    it(`refuses "${text}"`, () => {
      assert.throws(
        () => parseIdMappings(text),
        (error) => isFault(error, "invalid"),
      );
    });
  }
});

describe("ids across a user namespace", () => {
  it("are translated both ways, at the edges too", () => {
    assert.equal(toHostId(two, 0), 100000);
    assert.equal(toHostId(two, 999), 100999);
    assert.equal(toHostId(two, 1000), undefined);
    assert.equal(toHostId(two, 5009), 200009);
    assert.equal(toContainerId(two, 200009), 5009);
    assert.equal(toContainerId(two, 200010), undefined);
    assert.ok(containsId(two, 5000));
    assert.ok(!containsId(two, 4999));
    assert.equal(highestContainerId(two), 5009);
  });

  it("are written as the runtime spec has them", () => {
    assert.deepEqual(linuxIdMappings(two)[1], { containerID: 5000, hostID: 200000, size: 10 });
  });
});
