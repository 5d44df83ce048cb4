import { Fault } from "../base/index.ts";
import { jsonField, jsonObject, jsonText } from "../oci/index.ts";
import { parsePrefixedAddress } from "./addresses.ts";
import type { JsonObject } from "./json.ts";
import { type CniResult, objects } from "./result.ts";
import { type CniVersion, isAtLeast } from "./versions.ts";

/**
 * The same result in another version of the specification, as libcni converts it. Results came in three shapes:
 * `ip4`/`ip6` (0.1.0, 0.2.0); lists, each address with its `version` (0.3.0 to 0.4.0); lists without it (1.0.0, 1.1.0).
 * Within one shape only the version changes. Towards 0.2.0 the first address of each family survives and interfaces are lost;
 * Throws Fault("invalid") when there is no address to survive.
 */
export function convertResult(result: CniResult, version: CniVersion): CniResult {
  if (result.version === version) return result;
  const [from, to] = [shapeOf(result.version), shapeOf(version)];
  const json = from === to ? result.json : shapes[to](from === "pair" ? listsFromPair(result.json) : result.json);
  return { version, json: { ...json, cniVersion: version } };
}

type Shape = "pair" | "versioned lists" | "lists";

function shapeOf(version: CniVersion): Shape {
  if (!isAtLeast(version, "0.3.0")) return "pair";
  return isAtLeast(version, "1.0.0") ? "lists" : "versioned lists";
}

const shapes: Readonly<Record<Shape, (json: JsonObject) => JsonObject>> = {
  pair: pairFromLists,
  "versioned lists": (json) => ({ ...listsOf(json, true) }),
  lists: (json) => ({ ...listsOf(json, false) }),
};

/** `ip4` and `ip6` as lists; routes stand inside them. */
function listsFromPair(json: JsonObject): JsonObject {
  const entries = ["ip4", "ip6"].flatMap((key) => {
    const value = jsonField(json, key);
    return value === undefined ? [] : [jsonObject(value, `the result: ${key}`)];
  });
  return {
    ips: entries.map((entry) => ({ address: jsonField(entry, "ip"), ...pick(entry, "gateway") })),
    routes: entries.flatMap((entry) => objects(entry, "routes")),
    ...pick(json, "dns"),
  };
}

function listsOf(json: JsonObject, versioned: boolean): JsonObject {
  const interfaces = objects(json, "interfaces").map((entry) => pick(entry, "name", "mac", "sandbox"));
  const ips = objects(json, "ips").map((entry) => ({
    ...(versioned ? { version: String(familyOf(entry, "address")) } : {}),
    ...pick(entry, "interface", "address", "gateway"),
  }));
  const routes = objects(json, "routes");
  return {
    ...(interfaces.length > 0 ? { interfaces } : {}),
    ...(ips.length > 0 ? { ips } : {}),
    ...(routes.length > 0 ? { routes } : {}),
    ...pick(json, "dns"),
  };
}

function pairFromLists(json: JsonObject): JsonObject {
  const routes = objects(json, "routes");
  const entryOf = (family: 4 | 6) => {
    const first = objects(json, "ips").find((entry) => familyOf(entry, "address") === family);
    if (first === undefined) return {};
    const own = routes.filter((route) => familyOf(route, "dst") === family).map((route) => pick(route, "dst", "gw"));
    const entry = { ip: first.address, ...pick(first, "gateway"), ...(own.length > 0 ? { routes: own } : {}) };
    return { [`ip${family}`]: entry };
  };
  const both = { ...entryOf(4), ...entryOf(6) };
  if (Object.keys(both).length === 0) {
    throw new Fault("invalid", "the result has no IP address, without which CNI 0.2.0 cannot express it");
  }
  return { ...both, ...pick(json, "dns") };
}

function familyOf(entry: JsonObject, key: string): 4 | 6 {
  return parsePrefixedAddress(jsonText(entry, key, "the result") ?? "").family;
}

/** Those of `keys` that the object has. */
function pick(object: JsonObject, ...keys: readonly string[]): JsonObject {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const value = jsonField(object, key);
      return value === undefined ? [] : [[key, value] as const];
    }),
  );
}
