import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readProcess } from "../host/index.ts";
import { countProcesses, openFilesLimitFrom, readOpenFilesLimit } from "./process-counts.ts";

describe("what processes have open", () => {
  it("is counted from /proc, sockets apart", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    try {
      await new Promise((resolve) => server.once("listening", resolve));
      const counts = await countProcesses([process.pid]);
      assert.equal(counts.processes, 1n);
      assert.ok((counts.sockets ?? 0n) >= 1n);
      assert.ok((counts.descriptors ?? 0n) > (counts.sockets ?? 0n));
    } finally {
      server.close();
    }
  });

  it("is the sum over processes, of which some may be gone", async () => {
    const procDir = await mkdtemp(join(tmpdir(), "proc-"));
    try {
      await mkdir(join(procDir, "7/fd"), { recursive: true });
      await mkdir(join(procDir, "8/fd"), { recursive: true });
      await symlink("socket:[123]", join(procDir, "7/fd/0"));
      await symlink("/dev/null", join(procDir, "7/fd/1"));
      await symlink("socket:[124]", join(procDir, "8/fd/0"));
      const counts = await countProcesses([7, 8, 9], { procDir });
      assert.deepEqual(counts, { processes: 3n, descriptors: 3n, sockets: 2n });
    } finally {
      await rm(procDir, { recursive: true });
    }
  });

  it("is not counted one by one when there are too many", async () => {
    const tooMany = Array.from({ length: 1_001 }, (_, index) => index + 1);
    assert.deepEqual(await countProcesses(tooMany, { procDir: "/nowhere" }), { processes: 1_001n });
    const counts = await countProcesses([process.pid], { maxDescriptors: 2 });
    assert.equal(counts.sockets, undefined);
    assert.notEqual(counts.descriptors, 2n, "the kernel's own count, or none");
  });
});

describe("the limit of open files", () => {
  it("is read from the process that is meant, and from no other with its pid", async () => {
    const startTime = (await readProcess(process.pid))?.startTime ?? "";
    assert.ok(((await readOpenFilesLimit({ pid: process.pid, startTime })) ?? 0n) > 0n);
    assert.equal(await readOpenFilesLimit({ pid: process.pid, startTime: "1" }), undefined);
  });

  it("is absent where there is none", () => {
    const text = (soft: string) =>
      `Limit        Soft Limit  Hard Limit  Units\nMax open files   ${soft}   1048576   files \n`;
    assert.equal(openFilesLimitFrom(text("1024")), 1024n);
    assert.equal(openFilesLimitFrom(text("unlimited")), undefined);
    assert.equal(openFilesLimitFrom(""), undefined);
  });
});
