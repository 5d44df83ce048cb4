import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { printable, urlText, withoutSecrets } from "./words.ts";

describe("words", () => {
  it("makes foreign words fit for a log line", () => {
    assert.equal(printable("a\r\nb\x1b[31m\u2028c\u202ed\0\ufeff"), "a b [31m c d");
    assert.equal(printable("x".repeat(1000)).length, 301);
    assert.equal(printable("via http://user:pass@proxy/"), "via http://proxy/");
    assert.equal(urlText(new URL("https://u:p@a.io/x?sig=1#f")), "https://a.io/x");
    assert.equal(withoutSecrets("token abcdef here", ["abcdef", "x"]), "token <secret> here");
  });
});
