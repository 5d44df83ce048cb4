import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { proxyFor, proxySettings } from "./proxy.ts";

describe("proxyFor", () => {
  const env = {
    HTTPS_PROXY: "http://u:p@proxy.io:3128",
    http_proxy: "plain.io:80",
    NO_PROXY: "a.io, .b.io,*.c.io,10.0.0.0/8,fd00::/8,192.168.1.5,d.io:5000",
  };
  const via = (url: string) => proxyFor(proxySettings(env), new URL(url));

  it("follows Go's rules", () => {
    assert.equal(via("https://x.io/"), "http://u:p@proxy.io:3128");
    assert.equal(via("http://x.io/"), "http://plain.io:80");
    const direct = [
      "https://a.io",
      "https://x.a.io",
      "https://x.b.io",
      "https://x.c.io",
      "https://10.1.2.3",
      "https://[fd00::1]",
    ];
    const local = [
      "https://localhost:5000",
      "http://127.0.0.1:5000",
      "https://[::1]",
      "https://192.168.1.5",
      "https://d.io:5000",
    ];
    for (const url of [...direct, ...local]) assert.equal(via(url), undefined, url);
    for (const url of ["https://xa.io", "https://b.io", "https://c.io", "https://11.0.0.1", "https://d.io"]) {
      assert.notEqual(via(url), undefined, url);
    }
    assert.equal(proxyFor(proxySettings({ ...env, NO_PROXY: "*" }), new URL("https://x.io")), undefined);
    assert.equal(proxyFor(proxySettings({}), new URL("https://x.io")), undefined);
  });

  it("refuses a proxy it cannot use, without quoting it", () => {
    assert.throws(
      () => proxySettings({ HTTPS_PROXY: "socks5://u:CANARY@x" }),
      (error) => isFault(error, "invalid") && !error.message.includes("CANARY"),
    );
  });
});
