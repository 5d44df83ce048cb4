import { Fault } from "../base/index.ts";
import { jsonField, jsonList, jsonObject, jsonText } from "../oci/index.ts";
import { canonicalAddress, parsePrefixedAddress } from "./addresses.ts";
import type { JsonObject } from "./json.ts";
import { type CniVersion, isAtLeast, parseCniVersion } from "./versions.ts";

/** Most addresses, interfaces or routes that a result may have. */
const maxEntries = 1024;

/** What ADD of a plugin or a chain made: JSON as the plugin wrote it, and the version of the specification that it follows. */
export interface CniResult {
  readonly version: CniVersion;
  readonly json: JsonObject;
}

/** An interface that a plugin made. */
export interface NetworkInterface {
  readonly name: string;
  readonly mac: string | undefined;
  /** Path of the network namespace that it is in; undefined for one on the host. */
  readonly sandbox: string | undefined;
}

/** The parts of a result that a runtime reads. */
export interface ResultContents {
  /** Addresses without prefix, in the result's order. */
  readonly ips: readonly string[];
  readonly interfaces: readonly NetworkInterface[];
}

/**
 * A plugin's standard output as a result. One that states no version has the configuration's (CNI issue 895).
 * Throws Fault("invalid") when a field that matters is not what the specification says.
 */
export function resultOf(json: JsonObject, configVersion: CniVersion): CniResult {
  const stated = jsonText(json, "cniVersion", "the result") ?? "";
  const version = stated === "" ? configVersion : parseCniVersion(stated, "the result");
  const result = { version, json: stated === "" ? { ...json, cniVersion: version } : json };
  contentsOf(result);
  return result;
}

/** Reads addresses and interfaces. Throws Fault("invalid"). */
export function contentsOf({ version, json }: CniResult): ResultContents {
  if (!isAtLeast(version, "0.3.0")) {
    const both = [jsonField(json, "ip4"), jsonField(json, "ip6")].filter((entry) => entry !== undefined);
    return { ips: both.map((entry) => addressOf(jsonObject(entry, "the result: ip4 or ip6"), "ip")), interfaces: [] };
  }
  return {
    ips: objects(json, "ips").map((entry) => addressOf(entry, "address")),
    interfaces: objects(json, "interfaces").map((entry) => ({
      name: jsonText(entry, "name", "the result: interface") ?? "",
      mac: nonEmpty(jsonText(entry, "mac", "the result: interface")),
      sandbox: nonEmpty(jsonText(entry, "sandbox", "the result: interface")),
    })),
  };
}

/** The objects of one of the result's lists. */
export function objects(json: JsonObject, key: string): readonly JsonObject[] {
  return jsonList(json, key, "the result", maxEntries).map((entry) => jsonObject(entry, `the result: ${key}`));
}

function addressOf(entry: JsonObject, key: string): string {
  const gateway = jsonText(entry, "gateway", "the result");
  if (gateway !== undefined && gateway !== "" && canonicalAddress(gateway) === undefined) {
    throw new Fault("invalid", `the result: gateway ${JSON.stringify(gateway.slice(0, 80))} is no IP address`);
  }
  return parsePrefixedAddress(jsonText(entry, key, "the result") ?? "").ip;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
