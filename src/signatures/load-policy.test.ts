import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { configuredPolicy, loadPolicy } from "./load-policy.ts";

const directory = mkdtempSync(join(tmpdir(), "policies-"));
after(() => rmSync(directory, { recursive: true }));

const at = (name: string) => join(directory, name);
const write = (name: string) => writeFileSync(at(name), JSON.stringify({ default: [{ type: "reject" }] }));
const places = {
  configured: at("configured.json"),
  namespacesDir: at("namespaces"),
  usual: [at("own.json"), at("node.json")],
};

describe("the policy that counts", () => {
  mkdirSync(at("namespaces"));
  for (const name of ["configured.json", "namespaces/team.json", "own.json", "node.json", "outside.json"]) write(name);

  it("is the namespace's, else the configured one, else the user's, else the node's", async () => {
    const path = async (more: Partial<typeof places>, namespace = "other") =>
      (await loadPolicy({ ...places, ...more }, namespace)).path;
    assert.equal(await path({}, "team"), at("namespaces/team.json"));
    assert.equal(await path({}), at("configured.json"));
    assert.equal(await path({}, ""), at("configured.json"));
    assert.equal(await path({ configured: "" }), at("own.json"));
    assert.equal(await path({ configured: "", usual: [at("none.json"), at("node.json")] }), at("node.json"));
    assert.equal(await configuredPolicy({ ...places, configured: "" }, "other"), undefined);
  });

  it("is nothing that anybody else could mean: without one, and without the one that is configured, nothing is trusted", async () => {
    const none = { ...places, configured: "", usual: [at("none.json")] };
    await assert.rejects(
      loadPolicy(none, "other"),
      (error) => isFault(error, "not-found") && /no policy\.json file found/.test(error.message),
    );
    await assert.rejects(loadPolicy({ ...places, configured: at("none.json") }, ""), /read policy path .*none\.json/);
    await assert.rejects(loadPolicy({ ...places, configured: directory }, ""), /read policy path /);
  });

  it("is never that of a directory beside, whatever a namespace is called", async () => {
    for (const namespace of ["../outside", "a/../../outside", "..", ".", "/outside", "team\0", "-x"]) {
      await assert.rejects(loadPolicy(places, namespace), (error) => isFault(error, "invalid"), namespace);
    }
  });
});
