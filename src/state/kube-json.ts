import { type JsonObject, jsonField, jsonList, jsonObject, jsonText } from "../oci/index.ts";
import type {
  ContainerMetadata,
  IdMapping,
  NamespaceMode,
  NamespaceOptions,
  PodMetadata,
  PortMapping,
  Protocol,
  UserNamespaceOptions,
} from "./kube.ts";

/*
 * JSON of CRI messages as CRI-O keeps them in annotations of config.json (reference: ondisk.md 3.3): Go's encoding of the
 * generated structs, that is protobuf field names, enums as numbers, and nothing for a zero value.
 */

const modes: readonly NamespaceMode[] = ["pod", "container", "node", "target"];

export function podMetadataJson(metadata: PodMetadata): string {
  return JSON.stringify(withoutZeros({ ...metadata }));
}

export function parsePodMetadata(text: string): PodMetadata {
  const body = parse(text, "Metadata");
  return {
    name: textOf(body, "name"),
    uid: textOf(body, "uid"),
    namespace: textOf(body, "namespace"),
    attempt: numberOf(body, "attempt"),
  };
}

export function containerMetadataJson(metadata: ContainerMetadata): string {
  return JSON.stringify(withoutZeros({ ...metadata }));
}

export function parseContainerMetadata(text: string): ContainerMetadata {
  const body = parse(text, "Metadata");
  return { name: textOf(body, "name"), attempt: numberOf(body, "attempt") };
}

export function namespaceOptionsJson(options: NamespaceOptions): string {
  const { userns } = options;
  return JSON.stringify(
    withoutZeros({
      network: modes.indexOf(options.network),
      pid: modes.indexOf(options.pid),
      ipc: modes.indexOf(options.ipc),
      target_id: options.targetId,
      userns_options:
        userns === undefined
          ? undefined
          : withoutZeros({
              mode: modes.indexOf(userns.mode),
              uids: userns.uids.map(mappingBody),
              gids: userns.gids.map(mappingBody),
            }),
    }),
  );
}

export function parseNamespaceOptions(text: string): NamespaceOptions {
  const body = parse(text, "NamespaceOptions");
  const userns = jsonField(body, "userns_options");
  return {
    network: modeOf(body, "network"),
    pid: modeOf(body, "pid"),
    ipc: modeOf(body, "ipc"),
    targetId: textOf(body, "target_id"),
    ...(userns === undefined ? {} : { userns: usernsOf(jsonObject(userns, "userns_options")) }),
  };
}

export function portMappingsJson(mappings: readonly PortMapping[]): string {
  return JSON.stringify(
    mappings.map(({ hostPort, containerPort, protocol, hostIp }) => ({
      HostPort: hostPort,
      ContainerPort: containerPort,
      Protocol: protocol,
      HostIP: hostIp,
    })),
  );
}

export function parsePortMappings(text: string): readonly PortMapping[] {
  if (text.trim() === "" || text.trim() === "null") return [];
  const body = { list: JSON.parse(text) as unknown };
  return jsonList(body, "list", "PortMappings", 65_536).map((entry) => {
    const mapping = jsonObject(entry, "PortMappings");
    return {
      hostPort: numberOf(mapping, "HostPort"),
      containerPort: numberOf(mapping, "ContainerPort"),
      protocol: protocolOf(textOf(mapping, "Protocol")),
      hostIp: textOf(mapping, "HostIP"),
    };
  });
}

function parse(text: string, what: string): JsonObject {
  return jsonObject(JSON.parse(text), what);
}

function textOf(body: JsonObject, key: string): string {
  return jsonText(body, key, "annotation") ?? "";
}

function numberOf(body: JsonObject, key: string): number {
  const value = jsonField(body, key);
  return typeof value === "number" && Number.isSafeInteger(value) ? value : 0;
}

function modeOf(body: JsonObject, key: string): NamespaceMode {
  return modes[numberOf(body, key)] ?? "pod";
}

function protocolOf(text: string): Protocol {
  const word = text.toUpperCase();
  return word === "UDP" || word === "SCTP" ? word : "TCP";
}

function usernsOf(body: JsonObject): UserNamespaceOptions {
  return { mode: modeOf(body, "mode"), uids: mappingsOf(body, "uids"), gids: mappingsOf(body, "gids") };
}

function mappingsOf(body: JsonObject, key: string): readonly IdMapping[] {
  return jsonList(body, key, "userns_options", 1000).map((entry) => {
    const mapping = jsonObject(entry, key);
    return {
      hostId: numberOf(mapping, "host_id"),
      containerId: numberOf(mapping, "container_id"),
      length: numberOf(mapping, "length"),
    };
  });
}

function mappingBody({ hostId, containerId, length }: IdMapping): object {
  return withoutZeros({ host_id: hostId, container_id: containerId, length });
}

function withoutZeros(fields: Record<string, unknown>): Record<string, unknown> {
  const isZero = (value: unknown) =>
    value === undefined || value === 0 || value === "" || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isZero(value)));
}
