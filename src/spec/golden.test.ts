/**
 * Whole specs of telling containers, from the request, the image and the host to every line of `config.json`. The files in `golden/`
 * hold both; each was read line by line against CRI-O's rules (reference: cri.md 2 and 3), whose sections it names.
 * `CRIO_TS_GOLDEN=write node --test src/spec/golden.test.ts` writes them anew: read the difference as carefully.
 */
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runtimeJson } from "../oci/index.ts";
import { buildContainerSpec } from "./container.ts";
import { type GoldenCase, goldenCases } from "./golden/cases.ts";
import { buildInfraSpec } from "./infra.ts";

const folder = join(import.meta.dirname, "golden");
const isWriting = process.env.CRIO_TS_GOLDEN === "write";

describe("a spec", () => {
  for (const each of goldenCases) {
    it(`of ${each.name} is as CRI-O's rules say: ${each.shows}`, async () => {
      const path = join(folder, `${each.name}.json`);
      const document = documentOf(each);
      if (isWriting) await writeFile(path, `${JSON.stringify(document, null, 2)}\n`);
      assert.deepEqual(document, JSON.parse(await readFile(path, "utf8")));
    });
  }

  it("has a file for each case, and no other file", async () => {
    const files = (await readdir(folder)).filter((name) => name.endsWith(".json"));
    assert.deepEqual(files.sort(), goldenCases.map(({ name }) => `${name}.json`).sort());
  });
});

/** The plan as a reader of the file wants it: the mounts as requested, not as planned. */
function documentOf({ shows, plan }: GoldenCase): unknown {
  if (plan.of === "infra") return { shows, plan: plain(plan.plan), config: config(buildInfraSpec(plan.plan)) };
  const { requested: _planned, ...mounts } = plan.plan.mounts;
  return {
    shows,
    plan: plain({ ...plan.plan, mounts: { requested: plan.mounts, ...mounts } }),
    config: config(buildContainerSpec(plan.plan)),
  };
}

function config(spec: Parameters<typeof runtimeJson>[0]): unknown {
  return JSON.parse(runtimeJson(spec));
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, field) => (typeof field === "bigint" ? Number(field) : field)));
}
