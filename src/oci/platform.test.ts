import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { choosePlatform } from "./choose-platform.ts";
import type { Descriptor } from "./descriptor.ts";
import { digestOf } from "./digest.ts";
import { manifestMediaTypes } from "./media-types.ts";
import { hostPlatform, platformText } from "./platform.ts";

function entry(platform: string | undefined, mediaType: string = manifestMediaTypes.ociImage): Descriptor {
  const [os = "", architecture = "", variant] = platform?.split("/") ?? [];
  return {
    mediaType,
    digest: digestOf(Buffer.from(platform ?? "none")),
    size: 1,
    ...(platform !== undefined && { platform: { os, architecture, ...(variant !== undefined && { variant }) } }),
  };
}

function choice(wanted: string, ...offered: readonly (string | undefined)[]): string | undefined {
  const [os = "", architecture = "", variant] = wanted.split("/");
  const entries = offered.map((platform) => entry(platform));
  const chosen = choosePlatform(entries, { os, architecture, ...(variant !== undefined && { variant }) });
  if (chosen === undefined) return undefined;
  return chosen.platform === undefined ? "none" : platformText(chosen.platform);
}

describe("choosePlatform", () => {
  it("takes the exact architecture", () => {
    assert.equal(choice("linux/amd64", "linux/arm64", "windows/amd64", "linux/amd64"), "linux/amd64");
    assert.equal(choice("linux/amd64", "linux/arm64", "windows/amd64"), undefined);
  });

  it("falls back from newer to older arm variants, never forward", () => {
    assert.equal(choice("linux/arm/v7", "linux/arm/v5", "linux/arm/v6"), "linux/arm/v6");
    assert.equal(choice("linux/arm/v7", "linux/arm/v6", "linux/arm/v7"), "linux/arm/v7");
    assert.equal(choice("linux/arm/v6", "linux/arm/v7"), undefined);
    assert.equal(choice("linux/arm/v7", "linux/arm"), "linux/arm");
  });

  it("takes arm64 v8 for plain arm64 and the other way round", () => {
    assert.equal(choice("linux/arm64", "linux/arm64/v8"), "linux/arm64/v8");
    assert.equal(choice("linux/arm64/v8", "linux/arm64"), "linux/arm64");
    assert.equal(choice("linux/arm64", "linux/arm64/v8", "linux/arm64"), "linux/arm64");
    assert.equal(choice("linux/arm64", "linux/arm64/v9"), undefined);
  });

  it("skips attestations and prefers a named platform over none", () => {
    assert.equal(choice("linux/amd64", "unknown/unknown", "linux/arm64"), undefined);
    assert.equal(choice("linux/amd64", undefined, "linux/amd64"), "linux/amd64");
    assert.equal(choice("linux/amd64", "unknown/unknown", undefined), "none");
  });

  it("skips entries that are no manifests", () => {
    assert.equal(
      choosePlatform([entry("linux/amd64", "text/plain")], { os: "linux", architecture: "amd64" }),
      undefined,
    );
  });
});

describe("hostPlatform", () => {
  it("is linux with Go's word for the architecture", () => {
    assert.match(platformText(hostPlatform()), /^linux\/(amd64|arm64|arm\/v[5-8]|386|ppc64le|s390x|riscv64|loong64)$/);
  });
});
