import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDigest } from "../oci/index.ts";
import { PullsUnderway } from "./underway.ts";

const digest = (digit: string) => parseDigest(`sha256:${digit.repeat(64)}`);
const mediaType = "application/vnd.oci.image.layer.v1.tar";

describe("pulls under way", () => {
  it("show every layer with what has come of it, until they end", () => {
    const pulls = new PullsUnderway();
    {
      using pull = pulls.begin("quay.io/a/b:1");
      assert.deepEqual(
        pulls.list().map(({ image, layers }) => ({ image, layers })),
        [{ image: "quay.io/a/b:1", layers: [] }],
      );
      pull.planned([
        { mediaType, digest: digest("1"), size: 10 },
        { mediaType, digest: digest("2"), size: 20 },
        { mediaType, digest: digest("3"), size: 30 },
      ]);
      pull.received(digest("1"), 4);
      pull.received(digest("1"), 5);
      pull.there(digest("2"));
      assert.deepEqual(pulls.list()[0]?.layers, [
        { digest: digest("1"), totalBytes: 10, doneBytes: 9, is: "arriving" },
        { digest: digest("2"), totalBytes: 20, doneBytes: 20, is: "there" },
        { digest: digest("3"), totalBytes: 30, doneBytes: 0, is: "waiting" },
      ]);
      assert.equal(pull.summary(), "1 of 3 layers, 29 of 60 bytes");
    }
    assert.deepEqual(pulls.list(), []);
    assert.equal(pulls.receivedBytes, 9);
  });
});
