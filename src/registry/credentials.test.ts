import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault, silentLogger } from "../base/index.ts";
import { parseReference } from "../oci/index.ts";
import { lookUpAuth, parseAuthFile } from "./auth-file.ts";
import { type Credential, credentialFromAuth, credentialFromRequest } from "./credential.ts";
import { askHelper } from "./credential-helper.ts";
import { authFileSearchPath, createCredentialSource } from "./credentials.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const signal = AbortSignal.timeout(20_000);

function lookUp(document: unknown, name: string, legacy = false) {
  return lookUpAuth(
    parseAuthFile(Buffer.from(JSON.stringify(document)), "/auth.json", { legacy }),
    parseReference(name),
  );
}

function userOf(document: unknown, name: string, legacy = false): string | undefined {
  const answer = lookUp(document, name, legacy);
  return answer?.is === "credential" ? answer.credential.username : answer?.helper;
}

describe("lookUpAuth", () => {
  const auths = {
    "r.io/ns/app": { auth: base64("app:1") },
    "r.io/ns": { auth: base64("ns:1") },
    "r.io": { auth: base64("host:1") },
    "https://url.io/v1/": { auth: base64("url:1") },
    "https://index.docker.io/v1/": { auth: base64("hub:1") },
    "empty.io": {},
    "plain.io": { username: "plain", password: "p" },
  };

  it("takes the most specific key", () => {
    assert.equal(userOf({ auths }, "r.io/ns/app:v1"), "app");
    assert.equal(userOf({ auths }, "r.io/ns/other"), "ns");
    assert.equal(userOf({ auths }, "r.io/nsx/app"), "host");
    assert.equal(userOf({ auths }, "r.io:5000/ns/app"), undefined);
    assert.equal(userOf({ auths }, "other.io/r.io"), undefined);
  });

  it("knows Docker's ways of writing keys", () => {
    assert.equal(userOf({ auths }, "url.io/a"), "url");
    assert.equal(userOf({ auths }, "busybox"), "hub");
    assert.equal(userOf({ auths: { "docker.io": { auth: base64("d:1") } } }, "busybox"), "d");
    assert.equal(userOf({ "https://old.io/v1/": { auth: base64("old:1") } }, "old.io/a", true), "old");
    assert.equal(userOf({ auths }, "empty.io/a"), undefined);
    assert.equal(userOf({ auths }, "plain.io/a"), "plain");
  });

  it("prefers a helper for the host", () => {
    assert.deepEqual(lookUp({ auths, credHelpers: { "r.io": "pass" } }, "r.io/ns/app"), {
      is: "helper",
      helper: "pass",
    });
  });

  it("reads identity tokens", () => {
    const answer = lookUp({ auths: { "r.io": { auth: base64("u:p"), identitytoken: "idt" } } }, "r.io/a");
    assert.deepEqual(answer, { is: "credential", credential: { username: "u", password: "p", identityToken: "idt" } });
  });

  it("is not misled by names from prototypes", () => {
    assert.equal(userOf(JSON.parse('{"auths":{"__proto__":{"auth":"x"}}}'), "constructor/a"), undefined);
    assert.equal(userOf({}, "r.io/__proto__".replace("__proto__", "proto")), undefined);
  });

  it("quotes nothing of a broken file or entry", () => {
    const refused = [
      () => parseAuthFile(Buffer.from('{"auths": CANARY'), "/a", { legacy: false }),
      () => lookUp({ auths: { "r.io": { auth: "CANARY!" } } }, "r.io/a"),
      () => lookUp({ auths: { "r.io": "CANARY" } }, "r.io/a"),
      () => lookUp({ auths: ["CANARY"] }, "r.io/a"),
    ];
    for (const run of refused) {
      assert.throws(run, (error) => isFault(error, "invalid") && !JSON.stringify(deep(error)).includes("CANARY"));
    }
  });
});

function deep(error: unknown): unknown {
  return error instanceof Error ? [error.message, error.stack, deep(error.cause)] : error;
}

describe("credentialFromRequest", () => {
  const from = (auth: string, username = "", password = "") => credentialFromRequest({ auth, username, password });

  it("takes auth before user and password", () => {
    assert.deepEqual(from(base64("u:p:q")), { username: "u", password: "p:q" });
    assert.deepEqual(from(base64("u:p\0\0"), "x", "y"), { username: "u", password: "p" });
    assert.deepEqual(from("", "u", "p"), { username: "u", password: "p" });
  });

  it("is nothing without a user or a colon, and an error when not base64", () => {
    for (const auth of [base64("nocolon"), base64(":p"), ""]) assert.equal(from(auth), undefined);
    for (const auth of ["!!!!", "abc", "CANARY", "dTpw=", "====="]) {
      assert.throws(
        () => from(auth),
        (error) => isFault(error, "invalid") && !error.message.includes("CANARY"),
      );
    }
    assert.equal(credentialFromAuth("dTpw\r\n", "x")?.username, "u");
  });
});

describe("createCredentialSource", () => {
  async function withFiles(
    contents: readonly (string | undefined)[],
    work: (files: readonly { path: string; legacy: boolean }[]) => Promise<void>,
  ): Promise<void> {
    const root = await mkdtemp(join(tmpdir(), "auth-"));
    try {
      const files = contents.map((_, index) => ({ path: join(root, `${index}.json`), legacy: false }));
      for (const [index, text] of contents.entries()) {
        if (text !== undefined) await writeFile(join(root, `${index}.json`), text);
      }
      await work(files);
    } finally {
      await rm(root, { recursive: true });
    }
  }
  const source = (options: Partial<Parameters<typeof createCredentialSource>[0]>) =>
    createCredentialSource({ files: [], helpers: () => ["containers-auth.json"], log: silentLogger, ...options });
  const entry = (host: string, user: string) => JSON.stringify({ auths: { [host]: { auth: base64(`${user}:p`) } } });

  it("takes the first file that knows the image", async () => {
    await withFiles([undefined, entry("a.io", "one"), entry("a.io", "two")], async (files) => {
      assert.equal((await source({ files }).lookUp(parseReference("a.io/x"), signal))?.username, "one");
      assert.equal(await source({ files }).lookUp(parseReference("b.io/x"), signal), undefined);
    });
  });

  it("asks helpers in order, and says what failed when nobody knows", async () => {
    const asked: string[] = [];
    const ask = async (helper: string, host: string): Promise<Credential | undefined> => {
      asked.push(`${helper} ${host}`);
      if (helper === "broken") throw new Error("helper broken");
      return helper === "good" ? { username: "u", password: "p" } : undefined;
    };
    const found = source({ helpers: () => ["none", "broken", "good"], askHelper: ask });
    assert.equal((await found.lookUp(parseReference("a.io/x"), signal))?.username, "u");
    assert.deepEqual(asked, ["none a.io", "broken a.io", "good a.io"]);
    await assert.rejects(
      source({ helpers: () => ["broken"], askHelper: ask }).lookUp(parseReference("a.io/x"), signal),
      /broken/,
    );
  });

  it("fails on a broken file but passes over a missing credential store", async () => {
    await withFiles(["{CANARY", JSON.stringify({ credsStore: "none-such" }), entry("a.io", "u")], async (files) => {
      await assert.rejects(
        source({ files }).lookUp(parseReference("a.io/x"), signal),
        (error) => isFault(error) && !error.message.includes("CANARY") && error.message.includes("0.json"),
      );
      const rest = source({ files: files.slice(1) });
      assert.equal((await rest.lookUp(parseReference("a.io/x"), signal))?.username, "u");
    });
  });
});

describe("authFileSearchPath", () => {
  it("follows the environment", () => {
    assert.deepEqual(
      authFileSearchPath({ HOME: "/h", XDG_RUNTIME_DIR: "/r", DOCKER_CONFIG: "/d" }, 0).map(({ path }) => path),
      ["/r/containers/auth.json", "/h/.config/containers/auth.json", "/d/config.json", "/h/.dockercfg"],
    );
    assert.equal(authFileSearchPath({ HOME: "/h" }, 7)[0]?.path, "/run/containers/7/auth.json");
  });
});

describe("askHelper", () => {
  it("refuses names that are no program names, and says which program is missing", async () => {
    for (const name of ["../x", "a/b", "-x", "a b", "", "x\0"]) {
      await assert.rejects(askHelper(name, "r.io", signal), (error) => isFault(error, "invalid"));
    }
    await assert.rejects(askHelper("none-such", "r.io", signal), /docker-credential-none-such .*: no such program/);
  });

  it("speaks the helpers' protocol, and repeats nothing of what they print", async () => {
    const root = await mkdtemp(join(tmpdir(), "helpers-"));
    const searchPath = process.env.PATH;
    const script = (name: string, text: string) => {
      return writeFile(join(root, `docker-credential-${name}`), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    };
    try {
      process.env.PATH = `${root}:${searchPath}`;
      await script("good", `read host; echo '{"ServerURL":"x","Username":"'$1-$host'","Secret":"s"}'`);
      await script("token", `echo '{"Username":"<token>","Secret":"idt"}'`);
      await script("none", "echo credentials not found in native keychain; exit 1");
      await script("broken", `echo '{"Secret":"CANARY'`);
      await script("failing", "echo CANARY; echo 'the vault is sealed' >&2; exit 3");
      await script("chatty", "yes CANARY");
      assert.deepEqual(await askHelper("good", "r.io", signal), { username: "get-r.io", password: "s" });
      assert.equal((await askHelper("token", "r.io", signal))?.identityToken, "idt");
      assert.equal(await askHelper("none", "r.io", signal), undefined);
      const refused = [
        ["broken", /not valid JSON/],
        ["failing", /exit status 3: the vault is sealed/],
        ["chatty", /docker-credential-chatty/],
      ] as const;
      for (const [name, words] of refused) {
        await assert.rejects(askHelper(name, "r.io", signal), (error) => {
          assert.match(String(error), words);
          return isFault(error) && !JSON.stringify(deep(error)).includes("CANARY");
        });
      }
    } finally {
      process.env.PATH = searchPath;
      await rm(root, { recursive: true });
    }
  });
});
