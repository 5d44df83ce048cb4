import { chmod, copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { cached, cacheRoot, contentKey, contentOf } from "../cache.ts";
import { projectRoot } from "../paths.ts";
import { mustRun, run } from "../programs.ts";
import { debianMirror } from "../userland/index.ts";

const sourcePackage = "linux-source-7.2";
const sourceSuite = "trixie-backports";
const config = new URL("uml.config", import.meta.url);
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** Where a kernel that someone has compiled already may lie, beside the project. */
const prebuilt = join(dirname(projectRoot), "shared/lab/vm/prebuilt");

/**
 * The guest's kernel: User-Mode Linux, a static program. Taken from beside the project where it lies there prebuilt for
 * this very configuration, else compiled from Debian's source (ten minutes on two cores, once).
 */
export async function guestKernel(say: (text: string) => void = () => {}): Promise<string> {
  const key = contentKey(sourcePackage, sourceSuite, ...(await contentOf([config])));
  const build = async (path: string) => {
    if (await takePrebuilt(path)) return;
    say("compiling the kernel of the virtual machine from Debian's source (once, about ten minutes)");
    await compile(path, say);
  };
  return cached({ name: "vm/kernel", key, build });
}

/** Unpacks the prebuilt kernel if it has every option that our configuration asks for. */
async function takePrebuilt(path: string): Promise<boolean> {
  const full = await readFile(join(prebuilt, "linux-uml.config"), "utf8").catch(() => undefined);
  if (full === undefined || !hasOptions(full, await readFile(config, "utf8"))) return false;
  const unpacked = await run(["sh", "-c", 'xz -dc "$1" >"$2"', "sh", join(prebuilt, "linux-uml.xz"), path]);
  if (unpacked.code === 0) await chmod(path, 0o755);
  return unpacked.code === 0;
}

/** Whether a full kernel configuration says the same as a fragment about everything that the fragment switches on. */
export function hasOptions(full: string, fragment: string): boolean {
  const lines = new Set(full.split("\n"));
  return fragment.split("\n").every((line) => !/^CONFIG_\w+=/.test(line) || lines.has(line));
}

async function compile(path: string, say: (text: string) => void): Promise<void> {
  const folder = join(cacheRoot(), "vm", `kernel-build-${process.pid}`);
  const source = join(folder, "source");
  await mkdir(source, { recursive: true });
  try {
    await mustRun([
      "apt-get",
      "install",
      "-y",
      "--no-install-recommends",
      "-o",
      "DPkg::Lock::Timeout=300",
      "flex",
      "bison",
      "bc",
      "gcc",
      "make",
      "libc6-dev",
    ]);
    const archive = await downloadSource(folder);
    say("  unpacking the kernel's source");
    await mustRun([
      "sh",
      "-c",
      'dpkg-deb --fsys-tarfile "$1" | tar x -C "$2" --wildcards "./usr/src/*.tar.xz"',
      "sh",
      archive,
      folder,
    ]);
    const tar = (await readdir(join(folder, "usr/src"))).find((name) => name.endsWith(".tar.xz")) ?? "";
    const leftOut = ["*/drivers/gpu/*.[ch]", "*/arch/*/boot/dts/*", "*/tools/testing/*"].map(
      (pattern) => `--exclude=${pattern}`,
    );
    await mustRun(["tar", "xf", join(folder, "usr/src", tar), "-C", source, "--strip-components=1", ...leftOut]);
    await copyFile(config, join(folder, "uml.config"));
    const make = (...targets: string[]) =>
      mustRun(["nice", "make", "-s", "ARCH=um", ...targets], { cwd: source, timeoutMs: 3_600_000 });
    await make("x86_64_defconfig");
    await mustRun(["scripts/kconfig/merge_config.sh", "-m", ".config", join(folder, "uml.config")], { cwd: source });
    await make("olddefconfig");
    say("  compiling");
    await make(`-j${cpus().length}`, "linux");
    await mustRun(["strip", "-o", path, join(source, "linux")]);
    await chmod(path, 0o755);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Downloads the source package with an apt of our own: this machine's may not know the suite that has it. */
async function downloadSource(folder: string): Promise<string> {
  const apt = join(folder, "apt");
  await mkdir(join(apt, "lists/partial"), { recursive: true });
  await mkdir(join(apt, "cache/archives/partial"), { recursive: true });
  const settings = [
    `Dir::Etc::SourceList "${apt}/sources.list";`,
    'Dir::Etc::SourceParts "/dev/null";',
    `Dir::State::Lists "${apt}/lists";`,
    `Dir::Cache "${apt}/cache";`,
    'APT::Sandbox::User "root";',
    'Acquire::Languages "none";',
  ];
  await writeFile(join(apt, "apt.conf"), settings.join("\n"));
  await writeFile(
    join(apt, "sources.list"),
    `deb [signed-by=${keyring}] ${await debianMirror()} ${sourceSuite} main\n`,
  );
  const env = { APT_CONFIG: join(apt, "apt.conf") };
  await mustRun(["apt-get", "-q", "update"], { env });
  await mustRun(["apt-get", "-q", "download", sourcePackage], { env, cwd: folder });
  const found = (await readdir(folder)).find((name) => name.endsWith(".deb"));
  if (found === undefined) throw new Error(`apt-get downloaded no ${sourcePackage}`);
  return join(folder, found);
}
