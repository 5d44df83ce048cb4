/** Turns src/cri/proto/api.proto into TypeScript under src/cri/generated/, by buf and ts-proto. Nothing when it is fresh. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = join(root, "src/cri/generated");
const stamp = join(out, ".inputs");

const codecOptions = [
  "outputServices=generic-definitions",
  "enumsAsLiterals=true",
  "forceLong=bigint",
  "importSuffix=.ts",
  "env=node",
  "esModuleInterop=true",
  "outputJsonMethods=false",
  "useReadonlyTypes=false",
];

const template = {
  version: "v2",
  plugins: [{ local: join(root, "node_modules/.bin/protoc-gen-ts_proto"), out, opt: codecOptions }],
};

export function generate(): void {
  const key = createHash("sha256")
    .update(readFileSync(join(root, "src/cri/proto/api.proto")))
    .update(readFileSync(join(root, "package-lock.json")))
    .update(JSON.stringify(codecOptions))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === key) return;
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  execFileSync(
    join(root, "node_modules/.bin/buf"),
    ["generate", "src/cri/proto", "--template", JSON.stringify(template)],
    {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH}` },
    },
  );
  writeFileSync(stamp, key);
}

if (import.meta.main) generate();
