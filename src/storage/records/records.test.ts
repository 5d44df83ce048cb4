import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, isFault, silentLogger } from "../../base/index.ts";
import { newToken } from "../locks/change-token.ts";
import { bigDataFileName } from "../paths.ts";
import { parseContainer } from "./container-record.ts";
import { parseImage, withNames } from "./image-record.ts";
import { parseRecords, withValues } from "./json-records.ts";
import { parseLayer } from "./layer-record.ts";
import { loadRows, Snapshot } from "./snapshot.ts";

const corrupt = (error: unknown) => isFault(error, "corrupt");

describe("records", () => {
  it("keep unknown keys, their order, and numbers that no double holds", () => {
    const text = '[{"id":"a","z":1,"big":12345678901234567890,"f":1.5,"__proto__":{"x":[]},"names":["n"]}]';
    const [record] = parseRecords(text, "file");
    assert.ok(record);
    assert.equal(JSON.stringify([withValues(record, { names: ["m"] })]), text.replace('"n"', '"m"'));
    assert.equal(
      JSON.stringify([withValues(record, { z: undefined, new: 1 })]),
      text.replace('"z":1,', "").replace("}]", ',"new":1}]'),
    );
  });

  it("are a list, or nothing", () => {
    assert.deepEqual(parseRecords("", "file"), []);
    assert.deepEqual(parseRecords("null", "file"), []);
    for (const text of ["{}", "[1]", "[null]", "[[]]", "[", "\0"])
      assert.throws(() => parseRecords(text, "the file"), corrupt);
  });

  it("with ids that could name another directory, or values of the wrong type, are of no use", () => {
    for (const id of ["", ".", "..", "../x", "a/b", "/a", "a\nb", "-a", "é", 7, null]) {
      for (const parse of [parseLayer, parseImage, parseContainer]) assert.throws(() => parse({ id }), corrupt);
    }
    assert.throws(() => parseImage({ id: "a", names: "text" }), corrupt);
    assert.throws(() => parseImage({ id: "a", "big-data-sizes": { k: 2 ** 60 } }), corrupt);
    assert.throws(() => parseLayer({ id: "a", flags: [] }), corrupt);
    assert.throws(() => parseContainer({ id: "a", uidmap: [1] }), corrupt);
  });

  it("of older and newer programs are understood", () => {
    assert.equal(parseLayer({ id: "a", created: "0001-01-01T00:00:00Z" }).createdNs, 0n);
    assert.equal(parseLayer({ id: "a", created: "soon" }).createdNs, 0n);
    assert.equal(parseLayer({ id: "a", names: null, flags: null }).incomplete, false);
    assert.equal(parseLayer({ id: "a", "diff-size": 5 }).diffSize, undefined);
    assert.equal(parseLayer({ id: "a", "diff-size": -1, "toc-digest": "sha256:x" }).diffSize, undefined);
    assert.deepEqual(parseImage({ id: "a", metadata: '{"signature-sizes":[3,"4",-1]}' }).signatureSizes, [3]);
    const digests = {
      manifest: `sha256:${"a".repeat(64)}`,
      "manifest-x": "rubbish",
      config: `sha256:${"b".repeat(64)}`,
    };
    assert.deepEqual(parseImage({ id: "a", "big-data-digests": digests }).digests, [digests.manifest]);
  });

  it("of names: the last owner keeps one, and every name that was given is remembered, newest first", () => {
    const named = withNames(withNames({ id: "a" }, ["x:1"]), ["y:1", "x:1", "y:1"]);
    assert.deepEqual(
      [named.names, named["names-history"]],
      [
        ["y:1", "x:1"],
        ["y:1", "x:1"],
      ],
    );
    const files = [
      [
        { id: "a", names: ["n", "m"] },
        { id: "b", names: ["n"] },
      ],
      [
        { id: "a", names: ["other"] },
        { id: "c", names: ["m"] },
      ],
    ];
    const { rows, changed } = loadRows(files, { parse: parseContainer, what: "container", log: silentLogger });
    const view = new Snapshot(rows);
    assert.deepEqual(
      view.all.map(({ id, names }) => [id, ...names]),
      [["a"], ["b", "n"], ["c", "m"]],
    );
    assert.deepEqual([...changed], [0]);
    assert.deepEqual(
      rows.map(({ record }) => record.names),
      [undefined, ["n"], ["m"]],
    );
  });

  it("are found by id, name, or the beginning of an id that is the only one", () => {
    const ids = ["abc", "abd", "x"];
    const rows = ids.map((id) => ({ record: {}, place: 0, value: { id, names: id === "x" ? ["abc", "ab"] : [] } }));
    const view = new Snapshot(rows);
    const found = (text: string) => view.find(text)?.id;
    assert.deepEqual(["abc", "ab", "a", "abd", "", "x", "y"].map(found), [
      "abc",
      "x",
      undefined,
      "abd",
      undefined,
      "x",
      undefined,
    ]);
  });

  it("keep data in files named after their keys, none of which leads elsewhere", () => {
    assert.equal(bigDataFileName("manifest"), "manifest");
    assert.equal(bigDataFileName("sha256:ab"), "=c2hhMjU2OmFi");
    for (const key of ["", ".", "..", "???", "x".repeat(300)]) assert.throws(() => bigDataFileName(key), Fault);
  });

  it("come with change tokens of the agreed form", () => {
    const token = newToken(0x0102030405060708n, 9n);
    assert.equal(token.length, 64);
    assert.equal(token.toString("hex", 0, 16), "08070605040302010900000000000000");
    assert.equal(token.readUInt32LE(16), process.pid);
    assert.notDeepEqual(newToken(0n, 0n), newToken(0n, 0n));
  });
});
