import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { DirectoryWatch } from "./directory-watch.ts";

const top = mkdtempSync(join(tmpdir(), "host-watch-"));
after(() => rmSync(top, { recursive: true }));
const fresh = (name: string) => {
  const path = join(top, name);
  mkdirSync(path);
  return path;
};

async function take(names: AsyncIterator<string>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const next = await names.next();
    if (next.done) break;
    taken.push(next.value);
  }
  return taken.sort();
}

describe("DirectoryWatch", () => {
  it("yields what is there and what comes, each once until it is gone", async () => {
    const dir = fresh("a");
    writeFileSync(join(dir, "old"), "");
    const watch = new DirectoryWatch(dir);
    const names = watch[Symbol.asyncIterator]();
    assert.deepEqual(await take(names, 1), ["old"]);
    writeFileSync(join(dir, "new"), "");
    assert.deepEqual(await take(names, 1), ["new"]);
    writeFileSync(join(dir, "new"), "changed");
    writeFileSync(join(dir, "newer"), "");
    assert.deepEqual(await take(names, 1), ["newer"]);
    rmSync(join(dir, "new"));
    writeFileSync(join(dir, "marker"), "");
    assert.deepEqual(await take(names, 1), ["marker"]);
    writeFileSync(join(dir, "new"), "");
    assert.deepEqual(await take(names, 1), ["new"]);
    watch.stop();
    assert.equal((await names.next()).done, true);
  });

  it("passes over temporary names and sees the file that is renamed into place", async () => {
    const dir = fresh("b");
    const watch = new DirectoryWatch(dir, { accepts: (name) => !name.startsWith(".") });
    const names = watch[Symbol.asyncIterator]();
    const next = names.next();
    writeFileSync(join(dir, ".temporary"), "");
    renameSync(join(dir, ".temporary"), join(dir, "final"));
    assert.equal((await next).value, "final");
    watch.stop();
  });

  it("misses none of 2000 files made while the loop is blocked", async () => {
    const dir = fresh("c");
    const watch = new DirectoryWatch(dir);
    const names = watch[Symbol.asyncIterator]();
    const all = take(names, 2000);
    await new Promise((resolve) => setImmediate(resolve));
    for (let index = 0; index < 2000; index++) writeFileSync(join(dir, `${index}`), "");
    assert.equal(new Set(await all).size, 2000);
    watch.stop();
  });

  it("finds by looking again what it was not told of", async () => {
    const dir = join(top, "d");
    const watch = new DirectoryWatch(dir, { rescanMs: 5 });
    const names = watch[Symbol.asyncIterator]();
    const first = names.next(); // there is no directory yet, hence nothing that could tell
    await new Promise((resolve) => setTimeout(resolve, 20));
    mkdirSync(dir);
    writeFileSync(join(dir, "one"), "");
    assert.equal((await first).value, "one");
    rmSync(dir, { recursive: true });
    const second = names.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    mkdirSync(dir);
    writeFileSync(join(dir, "one"), "");
    assert.equal((await second).value, "one");
    watch.stop();
  });

  it("ends a loop that waits", async () => {
    const watch = new DirectoryWatch(fresh("e"));
    setTimeout(() => watch.stop(), 20);
    for await (const name of watch) assert.fail(name);
  });

  it("reports a directory that cannot be read", async () => {
    const file = join(top, "a-file");
    writeFileSync(file, "");
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const watch = new DirectoryWatch(file, { onTrouble: resolve });
    const names = watch[Symbol.asyncIterator]();
    const next = names.next();
    assert.match(String(await promise), /ENOTDIR/);
    watch.stop();
    assert.equal((await next).done, true);
  });
});
