/** Credentials open what they are for, and are told to nobody else (reference: cri.md 9.1; attack class 18). */
import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { CriError } from "../../support/daemon/cri.ts";
import { fixtureNames } from "../../support/fixtures/index.ts";
import { projectRoot } from "../../support/paths.ts";
import { run } from "../../support/programs.ts";
import { type AuthMode, type FaultRule, registryControl } from "../../support/registry/index.ts";
import type { Scene } from "../bad-input/scene.ts";
import { leavesStoreAsItWas, withFaults } from "./pulling.ts";

const image = fixtureNames.configured;
const user = "somebody";
/** Not to be seen again anywhere, in any of its forms. */
const canary = "c4n4ry/+secret";
const wrong = "wr0ng-c4n4ry/+";
const basic = (password: string) => Buffer.from(`${user}:${password}`).toString("base64");
const traces = [canary, wrong, basic(canary), basic(wrong), encodeURIComponent(canary), encodeURIComponent(wrong)];
const authFile = "/run/containers/0/auth.json";

const modes: readonly AuthMode[] = [
  { is: "basic", user, password: canary },
  { is: "bearer", user, password: canary },
  { is: "bearer", user, password: canary, lifetimeSeconds: 1 },
];

export function credentials(scene: () => Scene): void {
  describe("credentials", () => {
    const registry = registryControl();
    const errors: string[] = [];
    before(() => mkdir("/run/containers/0", { recursive: true }));
    after(async () => {
      await registry.setAuth([]);
      await rm("/run/containers/0", { recursive: true });
    });
    const pull = async (auth?: { username?: string; password?: string; auth?: string; identityToken?: string }) => {
      const request = { image: { image }, ...(auth === undefined ? {} : { auth }) };
      try {
        const { imageRef } = await scene().cri.image.pullImage(request);
        await scene().cri.image.removeImage({ image: { image } });
        return imageRef;
      } catch (error) {
        assert.ok(error instanceof CriError);
        errors.push(error.details);
        return error;
      }
    };
    const succeeds = async (...auth: Parameters<typeof pull>) =>
      assert.match(String(await pull(...auth)), /^[0-9a-f]{64}$/);
    const isDenied = async (...auth: Parameters<typeof pull>) =>
      assert.match(String(await pull(...auth)), /(unauthorized|denied|authentication|wrong user).*\(status 401\)/);

    for (const mode of modes) {
      const what = `${mode.is}${"lifetimeSeconds" in mode ? " that expires" : ""}`;

      it(`of the request open a registry with ${what} authorization`, async () => {
        await registry.setAuth([{ prefix: "crio-ts/", mode }]);
        await leavesStoreAsItWas(async () => {
          await succeeds({ username: user, password: canary });
          await succeeds({ auth: basic(canary) });
          await succeeds({ auth: Buffer.from(`${user}:${canary}\0\0`).toString("base64") });
          await succeeds({ auth: basic(canary), username: "other", password: wrong });
          await succeeds({ username: user, password: canary, identityToken: wrong });
          await isDenied();
          await isDenied({ username: user, password: wrong });
          await isDenied({ auth: basic(wrong) });
          await isDenied({ password: canary });
        });
      });

      it(`of auth.json open a registry with ${what} authorization, and the request's come before`, async () => {
        await registry.setAuth([{ prefix: "crio-ts/", mode }]);
        await leavesStoreAsItWas(async () => {
          for (const key of ["quay.io", "quay.io/crio-ts", "quay.io/crio-ts/configured"]) {
            await writeFile(authFile, JSON.stringify({ auths: { [key]: { auth: basic(canary) } } }), { mode: 0o600 });
            await succeeds();
            await isDenied({ username: user, password: wrong });
          }
          await writeFile(authFile, JSON.stringify({ auths: { "quay.io": { auth: basic(wrong) } } }), { mode: 0o600 });
          await isDenied();
          await succeeds({ username: user, password: canary });
          await writeFile(authFile, JSON.stringify({ auths: { "ghcr.io": { auth: basic(canary) } } }), { mode: 0o600 });
          await isDenied();
          await rm(authFile);
        });
      });
    }

    it("that are none, in the request or in auth.json, are refused in words", async () => {
      await registry.setAuth([{ prefix: "crio-ts/", mode: { is: "basic", user, password: canary } }]);
      await leavesStoreAsItWas(async () => {
        assert.match(String(await pull({ auth: `${canary}%%%` })), /the auth of the pull request is not valid base64/);
        await isDenied({ auth: Buffer.from("no colon").toString("base64") });
        for (const text of ["{", "[]", "null", `{"auths": 7}`, `{"auths": {"quay.io": {"auth": "${canary}%%"}}}`]) {
          await writeFile(authFile, text, { mode: 0o600 });
          assert.match(String(await pull()), /auth\.json|base64|\(status 401\)/, text);
        }
        await rm(authFile);
      });
    });

    it("are not repeated when the registry does", async () => {
      await registry.setAuth([{ prefix: "crio-ts/", mode: { is: "basic", user, password: canary } }]);
      const echo = JSON.stringify({ errors: [{ code: "DENIED", message: `no: ${canary} ${basic(canary)}` }] });
      const path = "/crio-ts/configured/manifests/";
      const withUser = { location: `https://${user}:${encodeURIComponent(canary)}@quay.io/v2/${user}/manifests/1` };
      const faults: readonly FaultRule["fault"][] = [
        { is: "status", status: 403, body: echo },
        { is: "status", status: 400, body: canary },
        { is: "status", status: 307, headers: withUser },
        {
          is: "status",
          status: 302,
          headers: { location: `http://plain.test:5000/?token=${encodeURIComponent(canary)}` },
        },
      ];
      await leavesStoreAsItWas(async () => {
        for (const fault of faults) {
          const failed = await withFaults([{ path, skip: 1, fault }], () => pull({ username: user, password: canary }));
          assert.ok(failed instanceof CriError);
        }
      });
    });

    it("are in no error, no line of the log, and no file of ours", async () => {
      const log = await scene().daemon.log();
      assert.match(log, /level=trace|level=debug/, "everything is logged");
      assert.ok(errors.length > 20);
      for (const trace of traces) {
        assert.equal(log.includes(trace), false, `${trace} is in the log`);
        assert.deepEqual(
          errors.filter((text) => text.includes(trace)),
          [],
        );
        const folders = ["/var/lib/containers", "/run/containers/storage", "/run/crio", "/var/log", "/tmp", "/var/tmp"];
        const found = await run(["grep", "--recursive", "--files-with-matches", "--fixed-strings", trace, ...folders]);
        // this file names the trace itself, wherever the project lies
        const files = found.stdout.split("\n").filter((file) => file !== "" && !file.startsWith(`${projectRoot}/`));
        assert.deepEqual(files, []);
      }
      assert.doesNotMatch(log, /Bearer [A-Za-z0-9_-]{16}/);
    });
  });
}
