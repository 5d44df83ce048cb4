import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { startProgram } from "../host/index.ts";
import { removeStaleExecDirectories } from "./exec-directory.ts";

it("removes the exec directories of daemons that are no more, and nothing else", async () => {
  const parent = mkdtempSync(join(tmpdir(), "exec-directory-"));
  const program = join(parent, "crio"); // a process is called what its file is
  copyFileSync("/bin/sh", program);
  const daemon = await startProgram(program, ["-c", "read line"], { stdio: ["write"] });
  try {
    const gone = 2 ** 31 - 1; // above any pid that the kernel gives out
    for (const pid of [gone, process.pid, process.ppid]) {
      mkdirSync(join(parent, `crio-exec-${pid}-stale`, "sub"), { recursive: true, mode: 0o700 });
      writeFileSync(join(parent, `crio-exec-${pid}-stale`, "log"), "");
    }
    const kept = [`crio-exec-${gone}-file`, `crio-exec-${gone}-link`, `crio-exec-${gone}-open`];
    writeFileSync(join(parent, kept[0] ?? ""), "");
    symlinkSync("/etc", join(parent, kept[1] ?? ""));
    mkdirSync(join(parent, kept[2] ?? ""), { mode: 0o755 });
    const others = [`crio-exec-${daemon.pid}-used`, "crio-exec-x", "unrelated"];
    for (const name of others) mkdirSync(join(parent, name), { mode: 0o700 });
    await removeStaleExecDirectories(parent);
    assert.deepEqual(readdirSync(parent).toSorted(), ["crio", ...kept, ...others].toSorted());
  } finally {
    daemon.kill(9);
    await daemon.exited;
    rmSync(parent, { recursive: true });
  }
});
