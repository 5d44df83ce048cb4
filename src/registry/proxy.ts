import { BlockList, isIP } from "node:net";
import { Fault } from "../base/index.ts";

/** The proxies of the environment, by the rules Go's programs follow. */
export interface ProxySettings {
  /** URLs; may hold credentials. */
  readonly http: string | undefined;
  readonly https: string | undefined;
  readonly exceptions: readonly Exception[];
}

type Exception =
  | { readonly is: "all" }
  | { readonly is: "addresses"; readonly list: BlockList }
  /** `exact` when `host` itself is meant besides what is below it. */
  | { readonly is: "host"; readonly host: string; readonly exact: boolean; readonly port: string };

/**
 * Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY (or in lower case). NO_PROXY lists `*`, addresses, networks (`10.0.0.0/8`) and
 * domains with everything below them (`.example.com`: only what is below), each with an optional port.
 * Throws Fault("invalid") for a proxy that is no http or https URL; the value is not quoted.
 */
export function proxySettings(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const value = (name: string) => env[name] || env[name.toLowerCase()] || "";
  return {
    http: proxyUrl(value("HTTP_PROXY"), "HTTP_PROXY"),
    https: proxyUrl(value("HTTPS_PROXY"), "HTTPS_PROXY"),
    exceptions: ["localhost", "127.0.0.0/8", "::1", ...value("NO_PROXY").split(",")]
      .map((entry) => exceptionOf(entry.trim().toLowerCase()))
      .filter((entry) => entry !== undefined),
  };
}

/** The URL of the proxy for a request; undefined when it goes direct, as everything on the loopback does. */
export function proxyFor(settings: ProxySettings, url: URL): string | undefined {
  const proxy = url.protocol === "https:" ? settings.https : settings.http;
  if (proxy === undefined) return undefined;
  const host = url.hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
  const port = url.port !== "" ? url.port : url.protocol === "https:" ? "443" : "80";
  return settings.exceptions.some((exception) => exempts(exception, host, port)) ? undefined : proxy;
}

function exempts(exception: Exception, host: string, port: string): boolean {
  if (exception.is === "all") return true;
  if (exception.is === "addresses") return isIn(exception.list, host);
  if (exception.port !== "" && exception.port !== port) return false;
  return (exception.exact && host === exception.host) || host.endsWith(`.${exception.host}`);
}

function exceptionOf(entry: string): Exception | undefined {
  if (entry === "") return undefined;
  if (entry === "*") return { is: "all" };
  const [address = "", bits] = entry.split("/", 2);
  if (isIP(address) !== 0) return addresses(address, bits);
  const [, name = "", port = ""] = /^(.*?)(?::([0-9]+))?$/.exec(entry) ?? [];
  const host = name.replace(/^\[|\]$/g, "").replace(/^\*?\./, "");
  return host === "" ? undefined : { is: "host", host, exact: !/^\*?\./.test(name), port };
}

function addresses(address: string, bits: string | undefined): Exception | undefined {
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  const list = new BlockList();
  if (bits === undefined) list.addAddress(address, family);
  else if (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (family === "ipv6" ? 128 : 32)) {
    list.addSubnet(address, Number(bits), family);
  } else return undefined;
  return { is: "addresses", list };
}

function isIn(list: BlockList, host: string): boolean {
  const family = isIP(host);
  return family !== 0 && list.check(host, family === 6 ? "ipv6" : "ipv4");
}

function proxyUrl(value: string, name: string): string | undefined {
  if (value === "") return undefined;
  const text = /^[a-z0-9+.-]+:\/\//i.test(value) ? value : `http://${value}`;
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new Fault("invalid", `the environment variable ${name} is no URL of an http or https proxy`);
  }
  return text;
}
