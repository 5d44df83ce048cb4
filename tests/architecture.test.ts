/** Holds the folder order of docs/architecture.md: imports point down, through index.ts, and each library has one home. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Highest first; folders of one row are siblings and must not import each other. */
const rows: readonly (readonly string[])[] = [
  ["cli"],
  ["daemon"],
  ["cri"],
  ["streaming", "observe"],
  ["pods"],
  ["containers"],
  ["images"],
  ["state"],
  ["runtime", "network", "storage", "registry", "signatures", "spec", "security", "cgroups"],
  ["config"],
  ["host"],
  ["oci"],
  ["base"],
];

/** A library is imported from this folder alone, or from these: what calls comes in by gRPC, and spans go out by it. */
const homes: Readonly<Record<string, string | readonly string[]>> = {
  "@grpc/grpc-js": ["cri", "observe"],
  "@bufbuild/protobuf": ["cri", "observe"],
  koffi: "host",
  "smol-toml": "config",
  yaml: "oci",
  "prom-client": "observe",
  ws: "streaming",
  openpgp: "signatures",
  jose: "images",
  "@sigstore/core": "signatures",
};

interface Import {
  readonly file: string;
  readonly folder: string;
  readonly specifier: string;
}

const files = globSync("src/**/*.ts", { cwd: root }).filter((file) => !file.includes("/generated/"));
const imports = files.flatMap(importsOf);
const folders = [...new Set(files.map(folderOf))];

describe("the folders of src", () => {
  it("are the ones of the design, each with an index and a README", () => {
    const known = rows.flat();
    for (const folder of folders) {
      assert.ok(known.includes(folder), `src/${folder} has no place in the order of folders`);
      assert.ok(existsSync(join(root, "src", folder, "README.md")), `src/${folder}/README.md is missing`);
      const entry = folder === "cli" ? "main.ts" : "index.ts";
      assert.ok(existsSync(join(root, "src", folder, entry)), `src/${folder}/${entry} is missing`);
    }
  });

  it("import only folders below them, through their index", () => {
    const wrong: string[] = [];
    for (const { file, folder, specifier } of imports) {
      if (!specifier.startsWith(".")) continue;
      const target = relative("src", normalize(join(dirname(file), specifier)));
      const targetFolder = target.split("/")[0] ?? "";
      if (targetFolder === folder) continue;
      if (target !== `${targetFolder}/index.ts`) wrong.push(`${file} reaches into ${target}`);
      if (rankOf(targetFolder) <= rankOf(folder))
        wrong.push(`${file} imports ${targetFolder}, which is not below ${folder}`);
    }
    assert.deepEqual(wrong, []);
  });

  it("give each library one home", () => {
    const wrong = imports
      .filter(({ specifier }) => !specifier.startsWith(".") && !specifier.startsWith("node:"))
      .filter(({ folder, specifier }) => ![homes[packageOf(specifier)]].flat().includes(folder))
      .map(({ file, specifier }) => `${file} imports ${specifier}`);
    assert.deepEqual(wrong, []);
  });

  it("start programs through host alone, and never by forking", () => {
    const wrong = imports.filter(({ specifier }) => specifier === "node:child_process").map(({ file }) => file);
    assert.deepEqual(wrong, []);
  });

  it("see the configuration only in cli and daemon; others get values (and the TOML parser)", () => {
    const wrong: string[] = [];
    for (const { file, folder, specifier } of imports) {
      if (!specifier.endsWith("/config/index.ts") || ["cli", "daemon"].includes(folder)) continue;
      const text = readFileSync(join(root, file), "utf8");
      const names = /import (?:type )?\{([^}]*)\} from "[^"]*\/config\/index\.ts"/.exec(text)?.[1] ?? "everything";
      for (const name of names.split(",").map((part) => part.replace(/^\s*type /, "").trim())) {
        if (name !== "" && name !== "parseToml") wrong.push(`${file} imports ${name} from config`);
      }
    }
    assert.deepEqual(wrong, []);
  });
});

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  const found = text.matchAll(
    /^(?:import|export)\s[^;]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gms,
  );
  return [...found].map((match) => ({
    file,
    folder: folderOf(file),
    specifier: match[1] ?? match[2] ?? match[3] ?? "",
  }));
}

function folderOf(file: string): string {
  return file.split("/")[1] ?? "";
}

function rankOf(folder: string): number {
  return rows.findIndex((row) => row.includes(folder));
}

function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
}
