import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readRegistryCertificates } from "./tls-files.ts";

describe("readRegistryCertificates", () => {
  it("reads the first directory that has the registry", async () => {
    const root = await mkdtemp(join(tmpdir(), "certs-"));
    try {
      const [a, b] = [join(root, "a"), join(root, "b")];
      const host = "r.io:5000";
      await mkdir(join(a, "other"), { recursive: true });
      await mkdir(join(b, host), { recursive: true });
      for (const name of ["ca.crt", "me.cert", "me.key", "readme"]) await writeFile(join(b, host, name), name);
      const found = await readRegistryCertificates([a, b], host);
      assert.equal(found.directory, join(b, host));
      assert.deepEqual(found.cas.map(String), ["ca.crt"]);
      assert.deepEqual(
        found.clients.map(({ cert, key }) => [String(cert), String(key)]),
        [["me.cert", "me.key"]],
      );
      assert.equal((await readRegistryCertificates([a, b], "none.io")).directory, undefined);
      await rm(join(b, host, "me.key"));
      await assert.rejects(readRegistryCertificates([b], host), /missing key me\.key/);
      await rm(join(b, host, "me.cert"));
      await writeFile(join(b, host, "me.key"), "");
      await assert.rejects(readRegistryCertificates([b], host), /missing client certificate me\.cert/);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
