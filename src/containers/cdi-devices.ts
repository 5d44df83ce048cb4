import { Fault, type Logger, reasonOf } from "../base/index.ts";
import { readBounded } from "../host/index.ts";
import { parseJsonObject, parseYamlObject } from "../oci/index.ts";
import {
  annotatedCdiDevices,
  type CdiDeviceNode,
  type CdiSpec,
  editsForCdi,
  type KnownCdiEdits,
  type KnownDeviceNode,
  parseCdiSpec,
} from "../spec/index.ts";
import type { StringMap } from "../state/index.ts";
import { deviceNode } from "./host-devices.ts";
import { ParsedFiles } from "./parsed-files.ts";

const maxSpecBytes = 4 << 20;
const what = "CDI device injection failed";

/** The CDI devices of the node (reference: annotations-and-features.md 8): `*.json` and `*.yaml` of some directories; a later one counts more. */
export class CdiDevices {
  readonly #files: ParsedFiles<CdiSpec>;
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
    this.#files = new ParsedFiles({
      accepts: (name) => /\.(json|yaml)$/.test(name),
      read: readSpec,
      onTrouble: (file, error) => log.warn(`CDI registry has errors: ${file}: ${reasonOf(error)}`),
    });
  }

  /**
   * What the devices do to a container that a request and the container's annotations name. Rejects with Fault("not-found" or "invalid") for
   * those that there are not.
   */
  async editsFor(
    wanted: { readonly names: readonly string[]; readonly annotations: StringMap },
    directories: readonly string[],
  ): Promise<readonly KnownCdiEdits[]> {
    const names = this.#namesOf(wanted);
    if (names.length === 0) return [];
    const files = await this.#files.list(directories);
    const specs = files.flatMap(({ value, directory }) =>
      value === undefined ? [] : [{ spec: value, rank: directory }],
    );
    try {
      const edits = editsForCdi(names, specs);
      return await Promise.all(
        edits.map(async (edit) => ({ ...edit, deviceNodes: await Promise.all(edit.deviceNodes.map(knownNode)) })),
      );
    } catch (error) {
      const code = error instanceof Fault ? error.code : "failed";
      throw new Fault(code, `${what}: ${reasonOf(error)}`, { cause: error });
    }
  }

  #namesOf({ names, annotations }: { readonly names: readonly string[]; readonly annotations: StringMap }) {
    const all = new Set(names);
    for (const name of annotatedCdiDevices(annotations)) {
      if (all.has(name)) this.#log.debug(`Skipping duplicate annotated CDI device ${name}`);
      all.add(name);
    }
    return [...all];
  }
}

async function readSpec(path: string): Promise<CdiSpec> {
  const bytes = await readBounded(path, maxSpecBytes);
  return parseCdiSpec(
    path.endsWith(".json")
      ? parseJsonObject(bytes, "it", maxSpecBytes)
      : await parseYamlObject(bytes, "it", maxSpecBytes),
  );
}

/** With type and numbers from the host, where the specification has none. */
async function knownNode(node: CdiDeviceNode): Promise<KnownDeviceNode> {
  const { type, major, minor } = node;
  if (type === "p") return { ...node, type, major: 0, minor: 0 };
  if (type !== undefined && major !== undefined && minor !== undefined && (major !== 0 || minor !== 0)) {
    return { ...node, type, major, minor };
  }
  const found = await deviceNode(node.hostPath);
  if (type !== undefined && type !== found.type) {
    throw new Fault("invalid", `${node.hostPath} is of type ${found.type}, not ${type} as its CDI specification says`);
  }
  return { ...node, type: found.type, major: found.major, minor: found.minor };
}
