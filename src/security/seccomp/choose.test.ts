import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "../../base/index.ts";
import { chooseSeccomp, type SeccompRequest } from "./choose.ts";
import type { SeccompProfile } from "./profile.ts";

const request: SeccompRequest = { hostHasSeccomp: true, privileged: false, privilegedProfilePath: "" };
const own = (action: "SCMP_ACT_LOG" | "SCMP_ACT_TRAP" | "SCMP_ACT_KILL"): SeccompProfile => ({
  defaultAction: action,
  rules: [],
});
const runtimeDefault = { is: "runtime-default" } as const;
const unconfined = { is: "unconfined" } as const;
const localhost = { is: "localhost", ref: "/var/lib/kubelet/seccomp/x.json" } as const;

describe("chooseSeccomp", () => {
  it("leaves a privileged container alone unless a profile is configured for it", () => {
    const privileged = { ...request, privileged: true, field: runtimeDefault };
    assert.deepEqual(chooseSeccomp(privileged), { is: "none", ref: "Unconfined" });
    assert.deepEqual(chooseSeccomp({ ...privileged, privilegedProfilePath: "/etc/p.json" }), {
      is: "file",
      ref: "/etc/p.json",
      path: "/etc/p.json",
    });
    assert.deepEqual(chooseSeccomp({ ...privileged, artifactProfile: own("SCMP_ACT_LOG") }), {
      is: "none",
      ref: "Unconfined",
    });
  });

  it("takes an artifact's profile only where nothing else confines", () => {
    const artifactProfile = own("SCMP_ACT_LOG");
    const taken = { is: "profile", ref: "", profile: artifactProfile };
    assert.deepEqual(chooseSeccomp({ ...request, artifactProfile }), taken);
    assert.deepEqual(chooseSeccomp({ ...request, field: unconfined, artifactProfile }), taken);
    assert.equal(chooseSeccomp({ ...request, field: runtimeDefault, artifactProfile }).ref, "RuntimeDefault");
    assert.equal(chooseSeccomp({ ...request, field: localhost, artifactProfile }).ref, localhost.ref);
  });

  it("confines nothing when nothing is said, or unconfined", () => {
    assert.deepEqual(chooseSeccomp(request), { is: "none", ref: "" });
    assert.deepEqual(chooseSeccomp({ ...request, field: unconfined }), { is: "none", ref: "Unconfined" });
  });

  it("takes for RuntimeDefault the handler's, else the configured, else the built-in profile", () => {
    const both = { handlerProfile: own("SCMP_ACT_TRAP"), configuredProfile: own("SCMP_ACT_KILL") };
    const actionOf = (change: Partial<SeccompRequest>) => {
      const choice = chooseSeccomp({ ...request, field: runtimeDefault, ...change });
      assert.ok(choice.is === "profile" && choice.ref === "RuntimeDefault");
      return choice.profile.defaultAction;
    };
    assert.equal(actionOf(both), "SCMP_ACT_TRAP");
    assert.equal(actionOf({ configuredProfile: both.configuredProfile }), "SCMP_ACT_KILL");
    assert.equal(actionOf({}), "SCMP_ACT_ERRNO");
  });

  it("names the file for Localhost", () => {
    assert.deepEqual(chooseSeccomp({ ...request, field: localhost }), {
      is: "file",
      ref: localhost.ref,
      path: localhost.ref,
    });
  });

  it("goes without on a host without seccomp, but not without a custom profile", () => {
    const host = { ...request, hostHasSeccomp: false };
    const warning = "Seccomp is not enabled, running without profile";
    assert.deepEqual(chooseSeccomp({ ...host, field: runtimeDefault }), { is: "none", ref: "Unconfined", warning });
    assert.deepEqual(chooseSeccomp({ ...host, field: unconfined }), { is: "none", ref: "Unconfined", warning });
    assert.throws(
      () => chooseSeccomp({ ...host, field: localhost }),
      (error) =>
        isFault(error, "invalid") &&
        error.message === "setup seccomp: seccomp is not enabled, cannot run with custom profile",
    );
  });
});
