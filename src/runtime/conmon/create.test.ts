import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RuntimeHandler } from "../handler.ts";
import { type CreateOptions, conmonArgs } from "./create.ts";

// What conmonArgs reads of them.
const handler = { path: "/usr/bin/crun", root: "/run/crun", systemdCgroup: false, noSyncLog: false } as RuntimeHandler;
const options = { id: "i", bundle: "/b", logPath: "/log", terminal: false, stdin: false } as CreateOptions;

describe("conmonArgs", () => {
  it("adds the journal to the log where that is configured", () => {
    const args = conmonArgs(handler, { ...options, logToJournald: true }).join(" ");
    assert.match(args, / -l \/log /);
    assert.match(args, / --log-path journald:/);
    assert.doesNotMatch(conmonArgs(handler, options).join(" "), /journald/);
  });
});
