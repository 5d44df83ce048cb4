import assert from "node:assert/strict";
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { DiskUsageMeter, diskUsage } from "./disk-usage.ts";
import { mountTmpfs, unmount } from "./mounts.ts";
import { runProgramOk } from "./run-program.ts";
import { enterPrivateMounts } from "./testing/private-mounts.ts";

const { dir, leave } = enterPrivateMounts();
after(leave);
const timeoutMs = 20_000;

async function du(path: string, ...flags: string[]): Promise<bigint> {
  const { stdout } = await runProgramOk("/usr/bin/du", ["-s", "-x", "-B", "1", ...flags, path], { timeoutMs });
  return BigInt(stdout.toString().split("\t")[0] ?? "");
}

describe("diskUsage", () => {
  it("agrees with du, counts hard links once, follows no links and stays on its file system", async () => {
    const top = join(dir, "tree");
    mkdirSync(join(top, "sub", "other"), { recursive: true });
    writeFileSync(join(top, "big"), Buffer.alloc(1_000_000, 1));
    writeFileSync(join(top, "sub", "small"), "12345");
    linkSync(join(top, "big"), join(top, "sub", "big-again"));
    symlinkSync("/usr", join(top, "link"));
    writeFileSync(Buffer.from(`${top}/not-utf8-\xff`, "latin1"), Buffer.alloc(50_000, 1));
    mountTmpfs({ target: join(top, "sub", "other"), mode: "755", flags: [] });
    writeFileSync(join(top, "sub", "other", "elsewhere"), Buffer.alloc(300_000, 1));
    const usage = await diskUsage(top);
    assert.equal(usage.bytes, await du(top));
    assert.equal(usage.inodes, await du(top, "--inodes"));
    assert.equal(usage.apparentBytes, 1_050_009n);
    unmount(join(top, "sub", "other"));
  });

  it("measures trees deeper than a path can be long", async () => {
    const top = join(dir, "deep");
    const name = "d".repeat(200);
    mkdirSync(top);
    const script = `import os, sys
os.chdir(sys.argv[1])
for _ in range(60): os.mkdir(sys.argv[2]); os.chdir(sys.argv[2])
open("file", "w").write("x" * 100000)`;
    await runProgramOk("/usr/bin/python3", ["-c", script, top, name], { timeoutMs });
    const usage = await diskUsage(top);
    assert.equal(usage.inodes, 62n);
    assert.equal(usage.apparentBytes, 100_000n);
    assert.equal(usage.bytes, await du(top));
    await runProgramOk("/bin/rm", ["-rf", top], { timeoutMs });
  });

  it("measures a single file, and says when there is nothing", async () => {
    const meter = new DiskUsageMeter();
    writeFileSync(join(dir, "single"), "abc");
    assert.deepEqual((await meter.measure(join(dir, "single"))).inodes, 1n);
    await assert.rejects(meter.measure(join(dir, "nothing")), (error) => isFault(error, "not-found"));
    await meter.stop();
    await assert.rejects(meter.measure(dir), (error) => isFault(error, "unavailable"));
  });

  it("is stopped by the caller who leaves, and serves the next one", async () => {
    const meter = new DiskUsageMeter();
    const controller = new AbortController();
    const first = meter.measure("/usr", { signal: controller.signal });
    const second = meter.measure(dir);
    controller.abort();
    await assert.rejects(first, (error) => isFault(error, "cancelled"));
    assert.ok((await second).inodes > 0n);
    await meter.stop();
  });
});
