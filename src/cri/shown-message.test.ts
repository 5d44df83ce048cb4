import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CreateContainerRequest, PullImageRequest } from "./generated/api.ts";
import { shownMessage } from "./shown-message.ts";

const text = (message: unknown) => JSON.stringify(shownMessage(message));

describe("shownMessage", () => {
  it("shows a request as it is, bytes as text and big integers whole", () => {
    const config = {
      envs: [{ key: "A", value: Buffer.from("b") }],
      linux: { resources: { cpuShares: 2n ** 63n - 1n } },
      labels: { app: "web" },
    };
    const shown = JSON.parse(text(CreateContainerRequest.fromPartial({ podSandboxId: "p", config })));
    assert.equal(shown.podSandboxId, "p");
    assert.deepEqual(shown.config.envs, [{ key: "A", value: "b" }]);
    assert.equal(shown.config.linux.resources.cpuShares, "9223372036854775807");
    assert.deepEqual(shown.config.labels, { app: "web" });
  });

  it("never shows a secret", () => {
    const auth = { username: "u", password: "geheim", auth: "Z2VoZWlt", identityToken: "geheim", registryToken: "" };
    const shown = text(PullImageRequest.fromPartial({ image: { image: "i" }, auth }));
    assert.doesNotMatch(shown, /geheim|Z2VoZWlt/);
    assert.match(shown, /"auth":"\[redacted\]"/);
  });

  it("stays small whatever the request holds", () => {
    const long = "\u0001".repeat(4 << 20);
    const config = {
      workingDir: long,
      command: Array.from({ length: 100_000 }, () => "x"),
      envs: [{ key: long, value: Buffer.from(long) }],
      labels: { [long]: long, ...Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, "v"])) },
    };
    const shown = text(CreateContainerRequest.fromPartial({ config }));
    assert.ok(shown.length < 250_000, `${shown.length} characters`);
    assert.match(shown, /and 99000 more/);
  });
});
