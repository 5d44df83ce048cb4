import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../base/index.ts";
import { parseDriverOptions } from "./driver-options.ts";

describe("storage options", () => {
  it("are known with any of their prefixes, in any case", () => {
    const expected = { mountOptions: ["nodev", "metacopy=on"], skipMountHome: true, ignoreChownErrors: false };
    for (const prefix of ["", ".", "overlay.", "overlay2.", "OVERLAY."]) {
      const options = [
        `${prefix}mountopt=nodev,metacopy=on`,
        `${prefix}Skip_Mount_Home=true`,
        `${prefix}override_kernel_check=1`,
      ];
      assert.deepEqual(parseDriverOptions(options), expected);
    }
  });

  it("that change nothing are accepted, and those we do not have are refused by name", () => {
    parseDriverOptions(["overlay.mount_program=", "overlay.use_composefs=false", "overlay.ignore_chown_errors=T"]);
    const refused = (option: string, code: "invalid" | "unimplemented", words: RegExp) =>
      assert.throws(
        () => parseDriverOptions([option]),
        (error) => isFault(error, code) && words.test(error.message),
      );
    refused("overlay.mount_program=/usr/bin/fuse-overlayfs", "unimplemented", /mount_program/);
    refused("overlay.size=10G", "unimplemented", /size/);
    refused("overlay.nothing=1", "invalid", /unknown option nothing/);
    refused("overlay.__proto__=1", "invalid", /unknown option __proto__/);
    refused("skip_mount_home", "invalid", /not key=value/);
    refused("skip_mount_home=yes", "invalid", /neither true nor false/);
  });
});
