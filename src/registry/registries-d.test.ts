import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { parseReference } from "../oci/index.ts";
import { hasAttachments, loadRegistriesD, lookasideOf } from "./registries-d.ts";

const directory = mkdtempSync(join(tmpdir(), "registries-d-"));
after(() => rmSync(directory, { recursive: true }));

describe("registries.d", () => {
  it("names the most specific place that is said, from all files", async () => {
    writeFileSync(
      join(directory, "a.yaml"),
      "default-docker:\n  lookaside: file:///default\n  use-sigstore-attachments: true\n",
    );
    writeFileSync(
      join(directory, "b.yaml"),
      "docker:\n  r.io/a:\n    lookaside: https://a\n  r.io:\n    sigstore: https://older\n    use-sigstore-attachments: false\n",
    );
    writeFileSync(join(directory, "ignored.conf"), "{");
    const places = await loadRegistriesD(directory);
    const of = (name: string) => [
      lookasideOf(places, parseReference(name)),
      hasAttachments(places, parseReference(name)),
    ];
    assert.deepEqual(of("r.io/a/b:1"), ["https://a", false]);
    assert.deepEqual(of("r.io/c:1"), ["https://older", false]);
    assert.deepEqual(of("s.io/c:1"), ["file:///default", true]);
  });

  it("is refused, with the file's name, when two files say it or it is not what it must be", async () => {
    for (const text of [
      "docker:\n  r.io: {}\n",
      "default-docker: {}\n",
      "docker: []\n",
      "docker:\n  x: 1\n",
      "{",
      "docker:\n  y:\n    use-sigstore-attachments: 1\n",
    ]) {
      writeFileSync(join(directory, "c.yaml"), text);
      await assert.rejects(loadRegistriesD(directory), /c\.yaml/, text);
    }
  });

  it("that is missing says nothing", async () => {
    const places = await loadRegistriesD(join(directory, "nowhere"));
    assert.deepEqual(
      [lookasideOf(places, parseReference("r.io/a")), hasAttachments(places, parseReference("r.io/a"))],
      ["", false],
    );
  });
});
