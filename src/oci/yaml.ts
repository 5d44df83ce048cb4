import { Fault, reasonOf } from "../base/index.ts";
import { type JsonObject, jsonObject } from "./json.ts";

/** References from one place of a document to another; a few lines with more would grow to gigabytes. */
const maxAliases = 100;

/**
 * The object in a YAML document, read by the same rules as `parseJsonObject`; JSON is YAML too. The parser is loaded at first use. Rejects with
 * Fault("invalid" or "exhausted").
 */
export async function parseYamlObject(bytes: Uint8Array, what: string, maxBytes: number): Promise<JsonObject> {
  if (bytes.byteLength > maxBytes) {
    throw new Fault("exhausted", `${what} has ${bytes.byteLength} bytes, more than the ${maxBytes} that are read`);
  }
  const { parse } = await import("./yaml-parser.ts");
  return jsonObject(parsed(), what);

  function parsed(): unknown {
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      return parse(text, { maxAliasCount: maxAliases, logLevel: "error" });
    } catch (error) {
      throw new Fault("invalid", `${what} is not valid YAML: ${reasonOf(error).split("\n")[0]}`, { cause: error });
    }
  }
}
