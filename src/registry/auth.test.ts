import assert from "node:assert/strict";
import { Agent } from "node:http";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { isFault } from "../base/index.ts";
import type { Credential } from "./credential.ts";
import { collect, imageAt, registriesConf, request, testClient } from "./testing/client.ts";
import { FaultyRegistry, type Handler, sendError } from "./testing/faulty-registry.ts";
import { TokenCache } from "./tokens.ts";

const auth: Credential = { username: "kubelet", password: "CANARY-password/+ä" };
const basic = `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}`;

/** Lets requests with this authorization pass, challenges all others. */
function guarded(registry: FaultyRegistry, isGood: (header: string) => boolean, challenge: string): Handler {
  return (incoming, response) => {
    if (isGood(incoming.headers.authorization ?? "")) registry.answer(incoming, response);
    else sendError(response, 401, "UNAUTHORIZED", "authentication required", { "www-authenticate": challenge });
  };
}

/** A registry whose token server hands out token-1, token-2 …, of which it accepts the last alone. */
async function withTokens(lifetimeS?: number): Promise<FaultyRegistry & { lastToken(): string; revoke(): void }> {
  const registry = await FaultyRegistry.start();
  let count = 0;
  let revoked = 0;
  registry.trap(
    /^\/token/,
    (_request, response) => {
      response.end(JSON.stringify({ token: `CANARY-token-${++count}`, expires_in: lifetimeS }));
    },
    1000,
  );
  const isGood = (header: string) => count > revoked && header === `Bearer CANARY-token-${count}`;
  const challenge = `Bearer realm="http://${registry.host}/token?x=1",service="the registry"`;
  registry.trap(/^\/v2\//, guarded(registry, isGood, challenge), 1000);
  return Object.assign(registry, { lastToken: () => `CANARY-token-${count}`, revoke: () => (revoked = count) });
}

describe("authorization", () => {
  it("is shown only when asked for", async () => {
    await using registry = await FaultyRegistry.start();
    using client = testClient([registry.host]);
    registry.putImage("team/app", "v1");
    await client.resolve(imageAt(registry.host), { ...request(), auth });
    assert.ok(registry.seen.every(({ authorization }) => authorization === undefined));
  });

  it("answers a Basic challenge, and stops when the password is wrong", async () => {
    await using registry = await FaultyRegistry.start();
    using client = testClient([registry.host]);
    registry.putImage("team/app", "v1");
    registry.trap(
      /./,
      guarded(registry, (header) => header === basic, 'Basic realm="x"'),
      1000,
    );
    await client.resolve(imageAt(registry.host), { ...request(), auth });
    const before = registry.seen.length;
    const wrong = { ...auth, password: "wrong" };
    await assert.rejects(
      client.resolve(imageAt(registry.host), { ...request(), auth: wrong }),
      (error) => isFault(error, "denied") && /authentication required/.test(error.message),
    );
    assert.equal(registry.seen.length, before + 2);
    await assert.rejects(
      client.resolve(imageAt(registry.host), request()),
      (error) => isFault(error, "denied") && /no credentials for/.test(error.message),
    );
  });

  it("fetches a bearer token once and uses it for all of the image, and for the next", async () => {
    await using registry = await withTokens();
    using client = testClient([registry.host]);
    const image = registry.putImage("team/app", "v1");
    const found = await client.resolve(imageAt(registry.host), { ...request(), auth });
    await Promise.all(image.layers.map((layer) => collect(client.blob(found.source, layer, request()))));
    await client.resolve(imageAt(registry.host), { ...request(), auth });
    const asked = registry.seen.filter(({ url }) => url.startsWith("/token"));
    assert.equal(asked.length, 1);
    const { searchParams } = new URL(asked[0]?.url ?? "", "http://x");
    assert.deepEqual(Object.fromEntries(searchParams), {
      x: "1",
      service: "the registry",
      scope: "repository:team/app:pull",
      account: "kubelet",
    });
    assert.equal(asked[0]?.authorization, basic);
  });

  it("asks anonymously without credentials, and never gives one credential's token to another", async () => {
    await using registry = await withTokens();
    using client = testClient([registry.host]);
    registry.putImage("team/app", "v1");
    await client.resolve(imageAt(registry.host), request());
    await client.resolve(imageAt(registry.host), { ...request(), auth });
    const asked = registry.seen.filter(({ url }) => url.startsWith("/token"));
    assert.deepEqual(
      asked.map(({ authorization }) => authorization),
      [undefined, basic],
    );
  });

  it("replaces a token that is no longer accepted, once", async () => {
    await using registry = await withTokens();
    using client = testClient([registry.host]);
    registry.putImage("team/app", "v1");
    await client.resolve(imageAt(registry.host), { ...request(), auth });
    registry.revoke();
    await client.resolve(imageAt(registry.host), { ...request(), auth });
    assert.equal(registry.countOf(/^\/token/), 2);
    await using never = await FaultyRegistry.start();
    never.trap(/^\/token/, (_request, response) => response.end('{"token":"t"}'), 1000);
    never.trap(
      /^\/v2\//,
      guarded(never, () => false, `Bearer realm="http://${never.host}/token"`),
      1000,
    );
    using other = testClient([never.host]);
    await assert.rejects(other.resolve(imageAt(never.host), { ...request(), auth }), (error) =>
      isFault(error, "denied"),
    );
    assert.ok(never.countOf(/./) <= 5, `${never.countOf(/./)} requests`);
  });

  it("joins the layers that need a token at the same moment", async () => {
    await using registry = await withTokens();
    using client = testClient([registry.host]);
    const image = registry.putImage(
      "team/app",
      "v1",
      [1, 2, 3, 4].map((n) => Buffer.alloc(1000, n)),
    );
    const found = await client.resolve(imageAt(registry.host), { ...request(), auth });
    registry.revoke();
    await Promise.all(image.layers.map((layer) => collect(client.blob(found.source, layer, request()))));
    assert.equal(registry.countOf(/^\/token/), 2);
  });

  it("exchanges an identity token by POST", async () => {
    await using registry = await withTokens();
    using client = testClient([registry.host]);
    registry.putImage("team/app", "v1");
    const credentials = { lookUp: async () => ({ username: "", password: "", identityToken: "CANARY-identity" }) };
    await client.resolve(imageAt(registry.host), { ...request(), credentials });
    const asked = registry.seen.find(({ url }) => url.startsWith("/token"));
    assert.equal(asked?.method, "POST");
    assert.deepEqual(Object.fromEntries(new URLSearchParams(asked?.body)), {
      grant_type: "refresh_token",
      service: "the registry",
      scope: "repository:team/app:pull",
      client_id: "crio-ts",
      refresh_token: "CANARY-identity",
    });
    assert.doesNotMatch(asked?.url ?? "", /CANARY/);
  });

  it("refuses token servers without TLS for a registry that is not insecure, and strange ones", async () => {
    await using registry = await FaultyRegistry.start();
    using client = testClient([registry.host]);
    const realms = ["", "no url", "ftp://x.io/", "file:///etc/passwd", `http://u:p@${registry.host}/t`, "javascript:1"];
    for (const realm of realms) {
      registry.trap(
        /./,
        guarded(registry, () => false, `Bearer realm="${realm}"`),
      );
      await assert.rejects(client.resolve(imageAt(registry.host), { ...request(), auth }), /token server/, realm);
    }
    assert.equal(registry.countOf(/^\/v2/), realms.length);
  });

  it("refuses answers that are no token", async () => {
    const answers = [
      "",
      "{}",
      "[]",
      '{"token":5}',
      '{"token":"a\\r\\nb"}',
      '{"token":"a b"}',
      `{"token":"${"x".repeat(70_000)}"}`,
    ];
    for (const answer of [...answers, " ".repeat(2_000_000)]) {
      await using registry = await FaultyRegistry.start();
      using client = testClient([registry.host]);
      registry.trap(/^\/token/, (_request, response) => response.end(answer), 10);
      registry.trap(
        /^\/v2/,
        guarded(registry, () => false, `Bearer realm="http://${registry.host}/token"`),
        10,
      );
      await assert.rejects(client.resolve(imageAt(registry.host), { ...request(), auth }), (error) => isFault(error));
    }
  });

  it("does not take the token server's 404 for a missing image", async () => {
    await using registry = await FaultyRegistry.start();
    using client = testClient([registry.host]);
    registry.trap(
      /^\/v2/,
      guarded(registry, () => false, `Bearer realm="http://${registry.host}/none"`),
    );
    await assert.rejects(client.resolve(imageAt(registry.host), request()), (error) => isFault(error, "failed"));
  });
});

describe("redirects", () => {
  const redirect =
    (to: string): Handler =>
    (_request, response) =>
      response.writeHead(307, { location: to }).end();

  it("are followed without the authorization once they leave the host, for good", async () => {
    await using registry = await FaultyRegistry.start();
    await using elsewhere = await FaultyRegistry.start();
    using client = testClient([registry.host]);
    const image = registry.putImage("team/app", "v1");
    const [layer] = image.layers;
    assert.ok(layer);
    elsewhere.put("/store/layer", "x", layer.bytes);
    const layerUrl = new RegExp(`blobs/${layer.digest}$`);
    registry.trap(/^\/back/, redirect(`http://${elsewhere.host}/store/layer?sig=CANARY`));
    registry.trap(layerUrl, redirect(`./${layer.digest}-relative`), 2);
    registry.trap(/-relative/, redirect(`http://user:pass@${elsewhere.host}/away`));
    elsewhere.trap(/^\/away/, redirect(`http://${registry.host}/back`));
    registry.trap(
      /manifests/,
      guarded(registry, (header) => header === basic, "Basic"),
      2,
    );
    const found = await client.resolve(imageAt(registry.host), { ...request(), auth });
    assert.deepEqual(await collect(client.blob(found.source, layer, request())), layer.bytes);
    const shown = [...registry.seen, ...elsewhere.seen].map(({ url, authorization }) => [
      url.split("?")[0],
      authorization,
    ]);
    assert.deepEqual(shown.slice(-5), [
      [`/v2/team/app/blobs/${layer.digest}`, basic],
      [`/v2/team/app/blobs/${layer.digest}-relative`, basic],
      ["/back", undefined],
      ["/away", undefined],
      ["/store/layer", undefined],
    ]);
  });

  it("end after ten, and at what is not HTTP", async () => {
    await using registry = await FaultyRegistry.start();
    using client = testClient([registry.host]);
    registry.trap(/manifests\/loop/, redirect("/v2/team/app/manifests/loop"), 1000);
    await assert.rejects(client.resolve(imageAt(registry.host, "team/app:loop"), request()), /more than 10 redirects/);
    assert.equal(registry.countOf(/loop/), 11);
    for (const target of ["ftp://x/", "file:///etc/passwd", "http://[", "gopher://x"]) {
      registry.trap(/manifests\/v1/, redirect(target));
      await assert.rejects(client.resolve(imageAt(registry.host), request()), /redirected to/, target);
    }
  });

  it("name no query in errors", async () => {
    await using registry = await FaultyRegistry.start();
    using client = testClient([registry.host]);
    registry.trap(/manifests/, redirect("/elsewhere?X-Signature=CANARY"));
    await assert.rejects(
      client.resolve(imageAt(registry.host), request()),
      (error) => isFault(error, "not-found") && !JSON.stringify([error.message, error.stack]).includes("CANARY"),
    );
  });
});

describe("TokenCache", () => {
  it("keeps a token until shortly before it expires", async () => {
    await using registry = await withTokens(300);
    let now = 0;
    const tokens = new TokenCache(() => now);
    const token = () =>
      tokens.token(
        {
          realm: new URL(`http://${registry.host}/token`),
          service: "s",
          scope: "x",
          credential: undefined,
          wire: { insecure: true, agentFor: () => new Agent() },
          patience: { connectTimeoutMs: 5000, stallTimeoutMs: 5000 },
          userAgent: "test",
        },
        undefined,
        request().signal,
      );
    assert.equal(await token(), "CANARY-token-1");
    now = 269_000;
    assert.equal(await token(), "CANARY-token-1");
    now = 271_000;
    assert.equal(await token(), "CANARY-token-2");
  });
});

describe("secrets", () => {
  it("appear in no error and no log line, whatever the registry does with them", async () => {
    const echo: Handler = ({ headers }, response) => {
      const said = Buffer.from((headers.authorization ?? "").replace(/^\S+ /, ""), "base64").toString();
      sendError(response, 403, "DENIED", `you sent ${headers.authorization} that is ${said}`);
    };
    const texts: string[] = [];
    const cases = [
      ["Basic", /^\/v2/],
      ["Bearer", /^\/v2/],
      ["Bearer", /^\/token/],
    ] as const;
    for (const [scheme, refuser] of cases) {
      await using registry = await withTokens();
      using client = testClient([registry.host], {
        config: () =>
          registriesConf(
            `[[registry]]\nprefix="r.test"\nlocation="${registry.host}"\ninsecure=true\n[[registry.mirror]]\nlocation="${registry.host}"\ninsecure=true`,
          ),
      });
      const challenge = scheme === "Basic" ? "Basic" : `Bearer realm="http://${registry.host}/token"`;
      const handler: Handler = (incoming, response) => {
        if (incoming.headers.authorization === undefined && /^\/v2/.test(incoming.url ?? "")) {
          sendError(response, 401, "UNAUTHORIZED", "x", { "www-authenticate": challenge });
        } else if (refuser.test(incoming.url ?? "")) echo(incoming, response);
        else response.end(JSON.stringify({ token: "CANARY-token" }));
      };
      registry.override = handler;
      await client.resolve(imageAt("r.test"), { ...request(), auth }).then(
        () => assert.fail("it was refused"),
        (error: unknown) => {
          assert.ok(isFault(error, "denied"), String(error));
          texts.push(everythingIn(error), ...client.logged);
        },
      );
      assert.ok(registry.seen.some(({ authorization }) => authorization !== undefined));
    }
    const all = texts.join("\n");
    assert.match(all, /you sent Basic <secret>/);
    for (const secret of ["CANARY", basic.slice(6)]) assert.ok(!all.includes(secret), all);
  });

  it("are not in what a resolved image shows of itself", async () => {
    await using registry = await withTokens();
    using client = testClient([registry.host]);
    registry.putImage("team/app", "v1");
    const found = await client.resolve(imageAt(registry.host), { ...request(), auth });
    assert.doesNotMatch(JSON.stringify(found), /CANARY/);
    assert.doesNotMatch(inspect(found, { depth: 20, showHidden: true }), /CANARY/);
  });
});

function everythingIn(error: unknown): string {
  return inspect(error, { depth: 20, showHidden: true });
}
