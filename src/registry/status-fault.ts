import type { FaultCode } from "../base/index.ts";
import { type JsonObject, jsonField, jsonList, jsonObject, parseJsonObject } from "../oci/index.ts";
import { readBodyStart } from "./body.ts";
import { RegistryFault } from "./failure.ts";
import type { HttpResponse } from "./http.ts";
import { printable, urlText, withoutSecrets } from "./words.ts";

const maxErrorBytes = 64 * 1024;

export interface StatusFaultOptions {
  /** The step, such as `reading the manifest`. */
  readonly what: string;
  /** What a 404 without words means, such as `manifest unknown`. */
  readonly notFound: string;
  /** What the registry was sent and might echo. */
  readonly secrets: Iterable<string>;
  /** Said at the end. */
  readonly hint?: string;
}

/**
 * The Fault for an answer with an error status, from the words in its body, of which at most 64 KiB are read. 401 and 403 are
 * "denied", 404 is "not-found", the rest "failed".
 */
export async function statusFault(response: HttpResponse, options: StatusFaultOptions): Promise<RegistryFault> {
  const { status } = response;
  const { codes, words } = registryWords(await readBodyStart(response, maxErrorBytes));
  const said = printable(withoutSecrets(words, options.secrets), 500);
  const meaning = said !== "" ? said : status === 404 ? options.notFound : wordsByStatus.get(status);
  const reason = meaning === undefined ? `status ${status}` : `${meaning} (status ${status})`;
  const retryAfter = retryAfterMs(response.headers["retry-after"]);
  return new RegistryFault(
    codeByStatus.get(status) ?? "failed",
    `${options.what}: ${reason} from ${urlText(response.url)}${options.hint ?? ""}`,
    { is: "status", status, codes, ...(retryAfter !== undefined && { retryAfterMs: retryAfter }) },
  );
}

const codeByStatus: ReadonlyMap<number, FaultCode> = new Map([
  [401, "denied"],
  [403, "denied"],
  [404, "not-found"],
]);

const wordsByStatus: ReadonlyMap<number, string> = new Map([
  [401, "unauthorized: authentication required"],
  [403, "denied: requested access to the resource is denied"],
  [429, "too many requests"],
  [503, "service unavailable"],
]);

interface RegistryWords {
  /** Such as `MANIFEST_UNKNOWN`; upper case. */
  readonly codes: readonly string[];
  readonly words: string;
}

/** Reads the error document of the distribution spec, or of a token server; empty when it is something else. */
function registryWords(body: Uint8Array): RegistryWords {
  try {
    const document = parseJsonObject(body, "the error", maxErrorBytes);
    const entries = jsonField(document, "errors") === undefined ? [document] : errorsOf(document);
    const errors = entries.map(errorWords);
    const codes = errors.map(({ code }) => code).filter((code) => code !== "");
    return {
      codes,
      words: errors
        .map(({ words }) => words)
        .filter((words) => words !== "")
        .join("; "),
    };
  } catch {
    return { codes: [], words: "" };
  }
}

function errorsOf(document: JsonObject): readonly JsonObject[] {
  return jsonList(document, "errors", "the error", 1000)
    .slice(0, 5)
    .map((entry) => jsonObject(entry, "the error"));
}

function errorWords(error: JsonObject): { readonly code: string; readonly words: string } {
  const text = (key: string) => {
    const value = jsonField(error, key);
    return typeof value === "string" ? value : "";
  };
  const code = /^[A-Za-z][A-Za-z0-9_]{0,63}$/.exec(text("code"))?.[0].toUpperCase() ?? "";
  const kind = code.toLowerCase().replaceAll("_", " ");
  const message = text("message") || text("error_description") || text("details") || text("error");
  if (message.toLowerCase().startsWith(kind)) return { code, words: message };
  return { code, words: message === "" ? kind : `${kind}: ${message}` };
}

function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*[0-9]{1,9}\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header.slice(0, 64));
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
