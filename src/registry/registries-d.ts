import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault, reasonOf, withStep } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import {
  type ImageReference,
  type JsonObject,
  jsonField,
  jsonObject,
  jsonText,
  parseYamlObject,
  scopesOf,
} from "../oci/index.ts";

/** What containers-registries.d(5) says of some images' signatures. */
interface SignaturePlace {
  /** Where simple signatures are; "" when nothing is said. */
  readonly lookaside: string;
  /** Whether the registry is asked for sigstore attachments; undefined when nothing is said. */
  readonly attachments: boolean | undefined;
}

/** All of registries.d. */
export interface SignaturePlaces {
  readonly byScope: ReadonlyMap<string, SignaturePlace>;
  readonly otherwise: SignaturePlace | undefined;
}

export const noSignaturePlaces: SignaturePlaces = { byScope: new Map(), otherwise: undefined };

const maxFileBytes = 1024 * 1024;

/** Reads every `*.yaml` of a directory; a missing one says nothing. Rejects with a Fault that names the file. */
export async function loadRegistriesD(directory: string): Promise<SignaturePlaces> {
  const byScope = new Map<string, SignaturePlace>();
  let otherwise: SignaturePlace | undefined;
  for (const name of await yamlFiles(directory)) {
    const path = join(directory, name);
    try {
      const part = await parseRegistriesD(await readBounded(path, maxFileBytes));
      if (part.otherwise !== undefined && otherwise !== undefined)
        throw new Fault("invalid", "default-docker is in another file too");
      otherwise ??= part.otherwise;
      for (const [scope, place] of part.byScope) {
        if (byScope.has(scope)) throw new Fault("invalid", `docker: ${JSON.stringify(scope)} is in another file too`);
        byScope.set(scope, place);
      }
    } catch (error) {
      throw withStep(`reading where signatures are, ${path}`, error);
    }
  }
  return { byScope, otherwise };
}

/** One file. Throws Fault("invalid"). */
export async function parseRegistriesD(bytes: Uint8Array): Promise<SignaturePlaces> {
  const body = await parseYamlObject(bytes, "the file", maxFileBytes);
  const scopes = jsonObject(jsonField(body, "docker") ?? {}, "docker");
  const otherwise = jsonField(body, "default-docker");
  return {
    byScope: new Map(
      Object.entries(scopes).map(([scope, each]) => [scope, placeOf(jsonObject(each ?? {}, scope), scope)]),
    ),
    otherwise: otherwise === undefined ? undefined : placeOf(jsonObject(otherwise, "default-docker"), "default-docker"),
  };
}

/** The lookaside of an image: the first that its scopes name, or else the default; "" for none. */
export function lookasideOf(places: SignaturePlaces, reference: ImageReference): string {
  return placesOf(places, reference).find(({ lookaside }) => lookaside !== "")?.lookaside ?? "";
}

/** Whether the registry of an image is asked for sigstore attachments. */
export function hasAttachments(places: SignaturePlaces, reference: ImageReference): boolean {
  return placesOf(places, reference).find(({ attachments }) => attachments !== undefined)?.attachments ?? false;
}

function placesOf({ byScope, otherwise }: SignaturePlaces, reference: ImageReference): readonly SignaturePlace[] {
  const places = scopesOf(reference).map((scope) => byScope.get(scope));
  return [...places, otherwise].filter((place) => place !== undefined);
}

/** `sigstore` is what `lookaside` was called before cosign took the word. */
function placeOf(object: JsonObject, what: string): SignaturePlace {
  const attachments = jsonField(object, "use-sigstore-attachments");
  if (attachments !== undefined && typeof attachments !== "boolean") {
    throw new Fault("invalid", `${what}: use-sigstore-attachments is neither true nor false`);
  }
  return { lookaside: jsonText(object, "lookaside", what) || (jsonText(object, "sigstore", what) ?? ""), attachments };
}

async function yamlFiles(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith(".yaml")).sort();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return [];
    throw new Fault("failed", `listing where signatures are: ${reasonOf(error)}`, { cause: error });
  }
}
