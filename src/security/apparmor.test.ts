import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, isFault } from "../base/index.ts";
import {
  type AppArmorHost,
  type AppArmorRequest,
  chooseAppArmor,
  isAppArmorEnabled,
  isAppArmorProfileLoaded,
  loadAppArmorProfile,
} from "./apparmor.ts";
import { appArmorProfileText } from "./apparmor-profile.ts";

const request: AppArmorRequest = { hostHasAppArmor: true, privileged: false, olderField: "", configured: "" };
const local = (ref: string): AppArmorRequest => ({ ...request, field: { is: "localhost", ref } });

function hostWith(files: Readonly<Record<string, string>>, ran: unknown[] = []): AppArmorHost {
  return {
    findProgram: async (name) => (files[name] === undefined ? undefined : `/sbin/${name}`),
    readText: async (path) => files[path],
    runProgramOk: async (path, args, options) => {
      ran.push([path, args, options.input]);
      return { exit: { is: "exited", code: 0 }, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
    },
  };
}

describe("chooseAppArmor", () => {
  it("takes the default unless something else is asked for", () => {
    assert.equal(chooseAppArmor(request), "crio-default");
    assert.equal(chooseAppArmor({ ...request, olderField: "runtime/default" }), "crio-default");
    assert.equal(chooseAppArmor({ ...request, field: { is: "runtime-default" }, configured: "mine" }), "mine");
  });

  it("takes the field before the older form of it", () => {
    assert.equal(chooseAppArmor({ ...local("a"), olderField: "localhost/b" }), "a");
    assert.equal(chooseAppArmor({ ...request, olderField: "localhost/b" }), "b");
    assert.equal(chooseAppArmor({ ...request, olderField: "unconfined" }), "unconfined");
    assert.equal(chooseAppArmor({ ...request, field: { is: "unconfined" } }), "unconfined");
    assert.equal(chooseAppArmor(local("localhost/a")), "a");
  });

  it("confines nothing for privileged containers, or where AppArmor is off", () => {
    assert.equal(chooseAppArmor({ ...local("a"), privileged: true }), undefined);
    assert.equal(chooseAppArmor({ ...local("a"), hostHasAppArmor: false }), undefined);
    assert.equal(chooseAppArmor({ ...local("a"), configured: "unconfined" }), undefined);
  });

  it("refuses names that are none", () => {
    for (const ref of ["", "localhost/"]) {
      assert.throws(
        () => chooseAppArmor(local(ref)),
        (error) => isFault(error, "invalid") && error.message === "empty localhost AppArmor profile is forbidden",
      );
    }
    assert.throws(
      () => chooseAppArmor(local("a\nb")),
      (error) => isFault(error, "invalid"),
    );
  });
});

describe("the host's AppArmor", () => {
  const profiles = "/sys/kernel/security/apparmor/profiles";

  it("is enabled when the module says Y", async () => {
    const parameter = "/sys/module/apparmor/parameters/enabled";
    assert.equal(await isAppArmorEnabled(hostWith({ [parameter]: "Y\n" })), true);
    assert.equal(await isAppArmorEnabled(hostWith({ [parameter]: "N\n" })), false);
    assert.equal(await isAppArmorEnabled(hostWith({})), false);
  });

  it("has a profile when its whole name is listed", async () => {
    const host = hostWith({ [profiles]: "crio-default2 (enforce)\nodd (name) (complain)\n" });
    assert.equal(await isAppArmorProfileLoaded("crio-default", host), false);
    assert.equal(await isAppArmorProfileLoaded("crio-default2", host), true);
    assert.equal(await isAppArmorProfileLoaded("odd (name)", host), true);
  });

  it("is given the profile on standard input", async () => {
    const ran: unknown[] = [];
    const host = hostWith({ apparmor_parser: "", "/etc/apparmor.d/tunables/global": "" }, ran);
    await loadAppArmorProfile("crio-default", { host });
    const text = appArmorProfileText("crio-default", { tunablesGlobal: true, abstractionsBase: false });
    assert.deepEqual(ran, [["/sbin/apparmor_parser", ["-Kr"], text]]);
  });

  it("says what is missing, and what the parser said", async () => {
    await assert.rejects(loadAppArmorProfile("p", { host: hostWith({}) }), (error) => isFault(error, "not-found"));
    const host: AppArmorHost = {
      ...hostWith({ apparmor_parser: "" }),
      runProgramOk: async () => {
        throw new Fault("failed", "syntax error");
      },
    };
    await assert.rejects(loadAppArmorProfile("p", { host }), {
      message: "loading the AppArmor profile p: syntax error",
    });
  });
});
