import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { parseReference, referenceText } from "../oci/index.ts";
import { endpointsFor } from "./endpoints.ts";
import { loadRegistriesConf } from "./load-registries-conf.ts";
import { emptyRegistriesConfig } from "./registries-conf.ts";
import { candidatesForShortName } from "./short-names.ts";
import { registriesConf } from "./testing/client.ts";

const hex = "ab".repeat(32);

function places(conf: string, name: string): readonly string[] {
  return endpointsFor(registriesConf(conf), parseReference(name)).map(
    ({ reference, insecure, isMirror }) =>
      `${isMirror ? "mirror " : ""}${referenceText(reference)}${insecure ? " insecure" : ""}`,
  );
}

describe("endpointsFor", () => {
  it("asks the registry itself when nothing is configured", () => {
    const [endpoint] = endpointsFor(emptyRegistriesConfig, parseReference("busybox:1"));
    assert.equal(endpoint?.host, "registry-1.docker.io");
    assert.equal(endpoint?.reference.domain, "docker.io");
  });

  it("rewrites the prefix to the location, mirrors first", () => {
    const conf = `
      [[registry]]
      prefix = "example.com/foo"
      location = "internal.io/bar/"
      [[registry.mirror]]
      location = "m1.io"
      insecure = true
      [[registry.mirror]]
      location = "m2.io/x"
    `;
    assert.deepEqual(places(conf, "example.com/foo/app:v1"), [
      "mirror m1.io/app:v1 insecure",
      "mirror m2.io/x/app:v1",
      "internal.io/bar/app:v1",
    ]);
    assert.deepEqual(places(conf, "example.com/foobar/app:v1"), ["example.com/foobar/app:v1"]);
  });

  it("takes the longest prefix, and wildcards for any depth of subdomains", () => {
    const conf = `
      [[registry]]
      location = "example.com"
      [[registry]]
      prefix = "*.example.com"
      insecure = true
      [[registry]]
      prefix = "a.example.com/ns"
      location = "other.io"
    `;
    assert.deepEqual(places(conf, "example.com/x:1"), ["example.com/x:1"]);
    assert.deepEqual(places(conf, "b.example.com/x:1"), ["b.example.com/x:1 insecure"]);
    assert.deepEqual(places(conf, "c.b.example.com:5000/x:1"), ["c.b.example.com:5000/x:1 insecure"]);
    assert.deepEqual(places(conf, "a.example.com/ns/x:1"), ["other.io/x:1"]);
    assert.deepEqual(places(conf, "badexample.com/x:1"), ["badexample.com/x:1"]);
    assert.deepEqual(places(conf, "evil.io/b.example.com/x:1"), ["evil.io/b.example.com/x:1"]);
    assert.deepEqual(places(conf, "b.example.com.evil.io/x:1"), ["b.example.com.evil.io/x:1"]);
  });

  it("chooses mirrors by what they take", () => {
    const conf = `
      [[registry]]
      location = "r.io"
      [[registry.mirror]]
      location = "all.io"
      [[registry.mirror]]
      location = "digests.io"
      pull-from-mirror = "digest-only"
      [[registry.mirror]]
      location = "tags.io"
      pull-from-mirror = "tag-only"
    `;
    assert.deepEqual(places(conf, "r.io/a:1"), ["mirror all.io/a:1", "mirror tags.io/a:1", "r.io/a:1"]);
    const byDigest = places(conf, `r.io/a@sha256:${hex}`);
    assert.deepEqual(
      byDigest.map((place) => place.split("/")[0]),
      ["mirror all.io", "mirror digests.io", "r.io"],
    );
    const digestOnly = `[[registry]]\nlocation="r.io"\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation="m.io"`;
    assert.deepEqual(places(digestOnly, "r.io/a:1"), ["r.io/a:1"]);
    assert.equal(places(digestOnly, `r.io/a@sha256:${hex}`).length, 2);
  });

  it("refuses what is blocked, and names the file", () => {
    assert.throws(
      () => places('[[registry]]\nlocation="bad.io"\nblocked=true', "bad.io/a"),
      (error) => isFault(error, "denied") && /bad\.io is blocked in test-0\.conf/.test(error.message),
    );
  });
});

describe("candidatesForShortName", () => {
  const names = (conf: string, name: string, mode?: "enforcing" | "disabled") =>
    candidatesForShortName(registriesConf(conf), name, mode).map(referenceText);
  const two = 'unqualified-search-registries = ["quay.io", "docker.io"]\n';

  it("leaves names with a registry alone, and never keeps a tag beside a digest", () => {
    assert.deepEqual(names(two, "r.io/a"), ["r.io/a:latest"]);
    assert.deepEqual(names("", `r.io/a:1@sha256:${hex}`), [`r.io/a@sha256:${hex}`]);
  });

  it("tries the search registries in order", () => {
    assert.deepEqual(names(two, "app:2", "disabled"), ["quay.io/app:2", "docker.io/library/app:2"]);
    assert.deepEqual(names(two, "ns/app", "disabled"), ["quay.io/ns/app:latest", "docker.io/ns/app:latest"]);
  });

  it("refuses more than one candidate when enforcing, but takes an alias", () => {
    assert.throws(
      () => names(two, "app", "enforcing"),
      /short name mode is enforcing, but image name app returns ambiguous list/,
    );
    assert.deepEqual(names(`${two}[aliases]\n"app" = "r.io/the/app"`, "app:3", "enforcing"), ["r.io/the/app:3"]);
    assert.deepEqual(names('unqualified-search-registries = ["r.io"]', "app", "enforcing"), ["r.io/app:latest"]);
  });

  it("does not imply docker.io", () => {
    assert.throws(
      () => names("", "busybox"),
      (error) => isFault(error, "invalid") && /unqualified-search-registries/.test(error.message),
    );
  });

  it("keeps hostile names out of the alias table", () => {
    for (const name of ["__proto__", "a b", "../a", "A"]) {
      assert.throws(
        () => names(two, name, "disabled"),
        (error) => isFault(error, "invalid"),
        name,
      );
    }
    assert.deepEqual(names('unqualified-search-registries=["r.io"]', "constructor"), ["r.io/constructor:latest"]);
  });
});

describe("parseRegistriesConf", () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ["[[registry]]\ninsecure=true", /neither prefix nor location/],
    ['[[registry]]\nprefix="a.io"', /location is not set/],
    ['[[registry]]\nlocation="https://a.io"', /must be a host/],
    ['[[registry]]\nlocation="a.io"\ninsecure="yes"', /insecure/],
    ['[[registry]]\nlocation="a.io"\npull-from-mirror="all"', /pull-from-mirror/],
    ['[[registry]]\nlocation="a.io"\n[[registry.mirror]]\n', /no location/],
    [
      '[[registry]]\nlocation="a.io"\n[[registry.mirror]]\nlocation="b.io"\npull-from-mirror="some"',
      /pull-from-mirror/,
    ],
    [
      '[[registry]]\nlocation="a.io"\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation="b.io"\npull-from-mirror="all"',
      /exclude each other/,
    ],
    ['short-name-mode="ask"', /short-name-mode/],
    ['unqualified-search-registries="a.io"', /unqualified-search-registries/],
    ['unqualified-search-registries=["http://a.io"]', /must be a host/],
    ['[registries.search]\nregistries=["a.io"]', /version 1/],
    ['[aliases]\n"a"="b"', /aliases/],
    ['[aliases]\n"a:1"="r.io/b"', /aliases/],
    ["registry = 1", /registry/],
    ["x =", /test-0\.conf/],
  ];
  for (const [text, words] of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 70))}`, () => {
      assert.throws(
        () => registriesConf(text),
        (error) => isFault(error, "invalid") && words.test(error.message) && /test-0\.conf/.test(error.message),
      );
    });
  }

  it("lets later files win", () => {
    const config = registriesConf(
      'unqualified-search-registries=["a.io"]\nshort-name-mode="enforcing"\n[[registry]]\nlocation="r.io"\ninsecure=true\n[aliases]\nx="a.io/x"\ny="a.io/y"',
      'unqualified-search-registries=["b.io"]\ncredential-helpers=["h"]\n[[registry]]\nlocation="r.io"\n[aliases]\nx=""\ny="b.io/y"',
    );
    assert.deepEqual(config.unqualifiedSearchRegistries, ["b.io"]);
    assert.equal(config.shortNameMode, "enforcing");
    assert.deepEqual(config.credentialHelpers, ["h"]);
    assert.deepEqual([...config.aliases], [["y", "b.io/y"]]);
    assert.deepEqual(
      config.registries.map(({ prefix, insecure }) => [prefix, insecure]),
      [["r.io", false]],
    );
  });
});

describe("loadRegistriesConf", () => {
  it("reads the main file, then drop-ins by name, then the alias cache", async () => {
    const root = await mkdtemp(join(tmpdir(), "registries-"));
    try {
      const [path, dropIns, aliasFile] = [join(root, "registries.conf"), join(root, "d"), join(root, "aliases.conf")];
      await mkdir(dropIns);
      await writeFile(path, 'unqualified-search-registries=["main.io"]');
      await writeFile(join(dropIns, "20.conf"), 'unqualified-search-registries=["twenty.io"]\n[aliases]\nx="a.io/x"');
      await writeFile(join(dropIns, "10.conf"), 'unqualified-search-registries=["ten.io"]');
      await writeFile(join(dropIns, "30.txt"), "broken");
      await writeFile(aliasFile, '[aliases]\nx="cache.io/x"');
      const dropInDirs = [dropIns, join(root, "none")];
      const config = await loadRegistriesConf({ path, dropInDirs, aliasFile });
      assert.deepEqual(config.unqualifiedSearchRegistries, ["twenty.io"]);
      assert.equal(config.aliases.get("x"), "cache.io/x");

      await writeFile(join(dropIns, "20.conf"), "broken");
      await assert.rejects(loadRegistriesConf({ path, dropInDirs }), /d\/20\.conf: line 1/);
      const missing = join(root, "missing.conf");
      assert.deepEqual(await loadRegistriesConf({ path: missing, dropInDirs: [] }), emptyRegistriesConfig);
      await assert.rejects(loadRegistriesConf({ path: missing, required: true, dropInDirs: [] }), /missing\.conf/);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
