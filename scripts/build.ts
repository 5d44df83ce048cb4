/** Builds what ships: dist/ (the bundle, one file per worker thread) and bin/crio, the one executable entry. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { generate } from "./generate.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Small semi-spaces and a capped old space: the defaults let the heap reach 280 MB under list load, these 107 MB
 * (docs/architecture.md, "Node as a daemon"). The pool is sized for file work beside one slow disk.
 */
const wrapper = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
# A mount namespace cannot be changed by a process with threads, which Node is from the start.
if [ -n "\${KUBENSMNT:-}" ] && [ -z "\${CRIO_KUBENSMNT:-}" ]; then
  if CRIO_KUBENSMNT=$(nsenter --mount="$KUBENSMNT" true 2>&1); then
    export CRIO_KUBENSMNT=joined
    exec nsenter --mount="$KUBENSMNT" "$here/crio" "$@"
  fi
  export CRIO_KUBENSMNT="\${CRIO_KUBENSMNT:-nsenter failed}"
fi
export UV_THREADPOOL_SIZE="\${UV_THREADPOOL_SIZE:-8}"
exec "$here/../node_modules/node-linux-${process.arch}/bin/node" --max-semi-space-size=2 --max-old-space-size=192 --disable-warning=ExperimentalWarning "$here/../dist/crio.js" "$@"
`;

generate();
// Built beside and moved into place: a daemon that is started meanwhile finds the one or the other, whole.
const next = join(root, `.dist-${process.pid}`);
const workers = globSync("src/**/*-worker.ts", { cwd: root });
await build({
  absWorkingDir: root,
  entryPoints: [
    { in: "src/cli/main.ts", out: "crio" },
    ...workers.map((file) => ({ in: file, out: basename(file, ".ts") })),
  ],
  outdir: next,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node26",
  // koffi has its own native file; openpgp is under the LGPL, whose users must be able to put another version in its place.
  external: ["koffi", "openpgp"],
  plugins: [withoutUndici()],
  sourcemap: "linked",
  sourcesContent: false,
  legalComments: "linked",
  // Libraries in CommonJS form call require() for Node's own modules.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  define: { CRIO_BUILD: JSON.stringify(buildFacts()) },
  logLevel: "warning",
});
const old = join(root, `.dist-old-${process.pid}`);
if (existsSync(join(root, "dist"))) renameSync(join(root, "dist"), old);
renameSync(next, join(root, "dist"));
rmSync(old, { recursive: true, force: true });
mkdirSync(join(root, "bin"), { recursive: true });
writeFileSync(join(root, "bin/crio"), wrapper);
chmodSync(join(root, "bin/crio"), 0o755);
process.stdout.write("built bin/crio\n");

/**
 * `import` of node:http reads every property of it, and one of them loads Node's whole fetch client, which nothing here uses: 50 ms of CPU
 * and its memory, at each start. `require` does not.
 */
function withoutUndici(): Plugin {
  return {
    name: "without undici",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^node:http$/ }, ({ path, kind }) =>
        kind === "import-statement" ? { path, namespace: "required" } : { path, external: true },
      );
      onLoad({ filter: /./, namespace: "required" }, ({ path }) => ({
        contents: `module.exports = require(${JSON.stringify(path)});`,
      }));
    },
  };
}

/** What `crio version` tells of the build. */
function buildFacts() {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const dependencies = Object.entries<{ version: string; integrity?: string; dev?: boolean }>(lock.packages)
    .filter(([path, { dev }]) => path !== "" && dev !== true)
    .map(([path, { version, integrity = "" }]) => `${path.replace(/^.*node_modules\//, "")} ${version} ${integrity}`);
  return {
    gitCommit: git("rev-parse", "HEAD"),
    gitCommitDate: git("show", "-s", "--format=%cI", "HEAD"),
    gitTreeState: git("status", "--porcelain") === "" ? "clean" : "dirty",
    buildDate: new Date().toISOString(),
    dependencies,
  };
}

/** What git says; "unknown" in a tree that is not a checkout. */
function git(...args: string[]): string {
  try {
    return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}
