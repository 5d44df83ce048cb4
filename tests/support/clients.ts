import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached, contentKey, contentOf } from "./cache.ts";
import { mustRun, run } from "./programs.ts";

/** A program that tests drive the daemon with, or why it is not to be had. */
export type Client = { readonly is: "there"; readonly path: string } | { readonly is: "missing"; readonly why: string };

const testFolder = fileURLToPath(new URL("..", import.meta.url));
const buildTimeoutMs = 20 * 60_000;

/** crictl of the version that tests/go.mod pins, built at the first use and then kept. */
export function crictl(onOutput?: (text: string) => void): Promise<Client> {
  return client("crictl", ["build"], onOutput);
}

/** critest, the conformance suite of the same module, likewise. */
export function critest(onOutput?: (text: string) => void): Promise<Client> {
  return client("critest", ["test", "-c"], onOutput);
}

async function client(
  name: "crictl" | "critest",
  verb: readonly string[],
  onOutput?: (text: string) => void,
): Promise<Client> {
  const toolchain = await goVersion();
  if (toolchain === undefined) return { is: "missing", why: `no Go toolchain (go) to build ${name} with` };
  const goMod = await readFile(join(testFolder, "go.mod"), "utf8");
  const version = /cri-tools (v[\d.]+)/.exec(goMod)?.[1] ?? "unknown";
  const path = await cached({
    name,
    key: contentKey(toolchain, goMod, ...(await contentOf([join(testFolder, "go.sum")]))),
    build: async (target) => {
      const flags = ["-ldflags", `-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=${version}`, "-o", target];
      await mustRun(["nice", "go", ...verb, ...flags, `sigs.k8s.io/cri-tools/cmd/${name}`], {
        cwd: testFolder,
        timeoutMs: buildTimeoutMs,
        env: { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly" },
        ...(onOutput === undefined ? {} : { onOutput }),
      });
      await chmod(target, 0o755);
    },
  });
  return { is: "there", path };
}

async function goVersion(): Promise<string | undefined> {
  const asked = await run(["go", "env", "GOVERSION"], { cwd: testFolder }).catch(() => undefined);
  return asked?.code === 0 ? asked.stdout.trim() : undefined;
}
