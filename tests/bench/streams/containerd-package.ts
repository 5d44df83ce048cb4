import { cached, contentKey } from "../../support/cache.ts";
import { mustRun } from "../../support/programs.ts";
import { debianMirror, userlandKey } from "../../support/userland/index.ts";

/** Where a node sees the unpacked package. */
export const packageTarget = "/opt/containerd-package";

export type Package =
  | { readonly is: "there"; readonly path: string }
  | { readonly is: "missing"; readonly why: string };

/** Debian 13's containerd and what it needs, unpacked into a folder and not installed; made at the first use. */
export async function containerdPackage(): Promise<Package> {
  try {
    const path = await cached({
      name: "containerd",
      key: contentKey(await userlandKey()),
      build: async (target) => {
        const options = ["--quiet", "--mode=root", "--variant=extract", "--components=main", "--include=containerd"];
        const keyring = "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg";
        await mustRun(["nice", "mmdebstrap", ...options, keyring, "trixie", target, await debianMirror()]);
      },
    });
    return { is: "there", path };
  } catch (error) {
    return { is: "missing", why: String(error) };
  }
}
