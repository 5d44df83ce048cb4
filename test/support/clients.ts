import { chmod, rename } from "node:fs/promises";
import { join } from "node:path";
import { cached, contentKey, contentOf } from "./cache.ts";
import { projectRoot } from "./paths.ts";
import { mustRun, run } from "./programs.ts";

/** A program that tests drive the daemon with, or why it is not to be had. */
export type Client = { readonly is: "there"; readonly path: string } | { readonly is: "missing"; readonly why: string };

const testFolder = join(projectRoot, "test");
const buildTimeoutMs = 20 * 60_000;

/** crictl of the version that test/go.mod pins, built at the first use and then kept. */
export async function crictl(onOutput?: (text: string) => void): Promise<Client> {
  const toolchain = await goVersion();
  if (toolchain === undefined) return { is: "missing", why: "no Go toolchain (go) to build crictl with" };
  const path = await cached({
    name: "crictl",
    key: contentKey(toolchain, ...(await contentOf([join(testFolder, "go.mod"), join(testFolder, "go.sum")]))),
    build: async (target) => {
      await mustRun(["go", "build", "-o", `${target}.new`, "sigs.k8s.io/cri-tools/cmd/crictl"], {
        cwd: testFolder,
        timeoutMs: buildTimeoutMs,
        env: { CGO_ENABLED: "0" },
        ...(onOutput === undefined ? {} : { onOutput }),
      });
      await chmod(`${target}.new`, 0o755);
      await rename(`${target}.new`, target);
    },
  });
  return { is: "there", path };
}

async function goVersion(): Promise<string | undefined> {
  const asked = await run(["go", "env", "GOVERSION"], { cwd: testFolder }).catch(() => undefined);
  return asked?.code === 0 ? asked.stdout.trim() : undefined;
}
