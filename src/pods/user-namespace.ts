import { assertNever, Fault } from "../base/index.ts";
import type { IdMapping } from "../host/index.ts";
import { checkIdMappings, containsId, idMappingsText } from "../security/index.ts";
import type { NamespaceOptions, UserNamespace, UserNamespaceOptions } from "../state/index.ts";

/**
 * The ids of the user namespace that a pod asks for, undefined for the host's (reference: cri.md 2.2). Throws Fault("invalid") for modes
 * other than those two, and for ids that the kernel would not take or a pod could not start with.
 */
export function planUserNamespace({ userns }: NamespaceOptions): UserNamespace | undefined {
  if (userns === undefined) return undefined;
  switch (userns.mode) {
    case "node":
      if (userns.uids.length > 0 || userns.gids.length > 0) {
        throw new Fault("invalid", "user namespace: ids are mapped, but the pod is to have the host's (mode NODE)");
      }
      return undefined;
    case "pod":
      return { uids: mappingsOf("uids", userns.uids), gids: mappingsOf("gids", userns.gids) };
    case "container":
    case "target":
      throw new Fault("invalid", `unsupported pod mode: "${userns.mode.toUpperCase()}"`);
    default:
      return assertNever(userns.mode);
  }
}

function mappingsOf(what: "uids" | "gids", requested: UserNamespaceOptions["uids"]): readonly IdMapping[] {
  const mappings = requested.map(({ containerId, hostId, length }) => ({ containerId, hostId, size: length }));
  checkIdMappings(mappings);
  // Layers belong to the host's root, which must become the pod's; nothing could be owned by it otherwise.
  if (!containsId(mappings, 0)) {
    throw new Fault(
      "invalid",
      `user namespace: the ${what} ${idMappingsText(mappings)} do not map id 0, the pod's root`,
    );
  }
  return mappings;
}
