import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { findProcessesByArguments, findProcessesByVariable, killFound } from "./find-processes.ts";
import { startProgram } from "./start-program.ts";

const timeoutMs = 10_000;
const mark = `mark-${process.pid}`;

describe("killFound", () => {
  it("kills the processes that have an argument, and leaves those that have it in part", async () => {
    const wanted = await startProgram("/bin/sh", ["-c", "read line", "sh", mark], { stdio: ["write"] });
    const other = await startProgram("/bin/sh", ["-c", "read line", "sh", `${mark}-other`], { stdio: ["write"] });
    const find = () => findProcessesByArguments((args) => args.includes(mark));
    assert.ok((await find()).some(({ pid }) => pid === wanted.pid));
    await killFound(find, { what: "killing", timeoutMs });
    assert.deepEqual(await wanted.exited, { is: "killed", signal: 9 });
    assert.deepEqual(await find(), []);
    other.kill(9);
    await other.exited;
    await killFound(() => findProcessesByVariable("NOBODY_HAS", mark), { what: "killing nothing", timeoutMs });
  });

  it("kills the processes that were started with a variable, and their children, however many come", async () => {
    const program = await startProgram("/bin/sh", ["-c", "while :; do sleep 0.02; done"], {
      stdio: [],
      env: { CONTAINER: mark, PATH: process.env.PATH ?? "" },
    });
    const find = () => findProcessesByVariable("CONTAINER", mark);
    for (const until = Date.now() + timeoutMs; (await find()).length < 2; await sleep(5)) assert.ok(Date.now() < until);
    await killFound(find, { what: "killing", timeoutMs });
    await program.exited;
    assert.deepEqual(await find(), []);
  });
});
